// Uses the server named by DRONE_URL as a Drone, with npm's drone-node, and prints what it saw.
import { setTimeout as sleep } from "node:timers/promises";
import drone from "drone-node";

const client = new drone.Client({ url: process.env.DRONE_URL, token: process.env.DRONE_TOKEN });
const app = ["acme", "app"];

async function until(ask) {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await ask();
    if (answer) return answer;
    await sleep(50);
  }
  throw new Error("it did not happen in time");
}

const ended = (repo, number) => until(async () => {
  const build = await client.getBuild(...repo, number);
  return build.finished && build;
});

const seen = {};
seen.self = await client.getSelf();
seen.repos = (await client.selfRepos({ latest: true })).map((repo) => repo.slug);
seen.repo = await client.getRepo(...app);

const started = await client.triggerBuild(...app, { branch: "dev" });
seen.started = started;
seen.build = await ended(app, started.number);
seen.log = await client.getLogs(...app, started.number, 1, 1);
seen.promoted = await client.promoteBuild(...app, started.number, "staging", { NOTE: "hello" });
seen.rolledBack = await client.rollbackBuild(...app, started.number, "staging", {});
seen.retried = await client.retryBuild(...app, started.number, {});
seen.builds = (await client.getBuilds(...app, 1, 2)).map((build) => build.number);
seen.recent = (await client.recentBuilds()).map((repo) => repo.build.number);

const gated = ["acme", "gated"];
const first = await client.triggerBuild(...gated, { branch: "main" });
const waits = () => until(async () => {
  const builds = await client.getBuilds(...gated);
  const build = await client.getBuild(...gated, builds[0].number);
  return build.stages[0].status === "blocked" && build;
});
seen.waiting = (await waits()).status;
await client.approveBuild(...gated, first.number, 1);
seen.approved = (await ended(gated, first.number)).status;
const second = await client.triggerBuild(...gated, { branch: "main" });
await waits();
await client.declineBuild(...gated, second.number, 1);
seen.declined = (await client.getBuild(...gated, second.number)).status;
const third = await client.triggerBuild(...gated, { branch: "main" });
seen.cancelled = (await client.cancelBuild(...gated, third.number)).status;

await client.enableRepo("acme", "off");
seen.enabled = (await client.getRepo("acme", "off")).active;
await client.disableRepo("acme", "off");
seen.disabled = (await client.getRepo("acme", "off")).active;
try {
  await client.getRepo("acme", "none");
} catch (error) {
  seen.refusal = error.message;
}
process.stdout.write(JSON.stringify(seen));
