// Uses the server named by JENKINS_URL as a Jenkins, with npm's client, and prints what it saw.
import { setTimeout as sleep } from "node:timers/promises";
import Jenkins from "jenkins";

const jenkins = new Jenkins({ baseUrl: process.env.JENKINS_URL });

async function until(ask) {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await ask();
    if (answer) return answer;
    await sleep(50);
  }
  throw new Error("it did not happen in time");
}

async function started(name, parameters) {
  const queued = await jenkins.job.build(parameters ? { name, parameters } : { name });
  const item = await until(async () => {
    const found = await jenkins.queue.item(queued);
    return found.executable && found;
  });
  return { queued, number: item.executable.number };
}

async function followed(name, number) {
  const pieces = [];
  const log = jenkins.build.logStream({ name, number, delay: 50 });
  log.on("data", (piece) => pieces.push(piece));
  await new Promise((resolve, reject) => log.on("end", resolve).on("error", reject));
  return pieces.join("");
}

const seen = {};
seen.info = await jenkins.info();
seen.jobs = (await jenkins.job.list({ name: "team" })).map((job) => job.name);
seen.job = (await jenkins.job.get("team/app")).fullName;
seen.exists = [await jenkins.job.exists("team/app"), await jenkins.job.exists("team/none")];

const first = await started("team/app", { BRANCH: "dev" });
seen.followed = await followed("team/app", first.number);
seen.build = await jenkins.build.get("team/app", first.number);
seen.log = await jenkins.build.log("team/app", first.number);
seen.queued = first.queued;

const second = await started("team/slow");
await jenkins.build.stop("team/slow", second.number);
seen.stopped = await until(async () => {
  const build = await jenkins.build.get("team/slow", second.number);
  return !build.building && build.result;
});
try {
  await jenkins.job.get("team/none");
} catch (error) {
  seen.refusal = { status: error.statusCode ?? error.res?.statusCode ?? null, text: error.message };
}
process.stdout.write(JSON.stringify(seen));
