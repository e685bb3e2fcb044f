// Uses the server at BITBUCKET_URL as Bitbucket Cloud, with npm's client, and prints what it saw.
import { setTimeout as sleep } from "node:timers/promises";
import client from "bitbucket";

const { BITBUCKET_URL: baseUrl, BITBUCKET_TOKEN: token } = process.env;
const bitbucket = new client.Bitbucket({ baseUrl, auth: { token }, notice: false });
const where = { workspace: "acme", repo_slug: "shop" };

async function until(ask) {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await ask();
    if (answer) return answer;
    await sleep(50);
  }
  throw new Error("it did not happen in time");
}

async function refused(ask) {
  try {
    await ask();
    return null;
  } catch (error) {
    return { status: error.status, message: error.error?.error?.message ?? error.message };
  }
}

const seen = {};
const page = (await bitbucket.repositories.list({ workspace: "acme", pagelen: 2 })).data;
seen.first = page.values.map((found) => found.full_name);
seen.second = (await bitbucket.getNextPage(page)).data.values.map((found) => found.full_name);
seen.repository = (await bitbucket.repositories.get(where)).data;
seen.branches = (await bitbucket.refs.listBranches(where)).data.values.map((found) => found.name);

const _body = {
  target: { type: "pipeline_ref_target", ref_type: "branch", ref_name: "main" },
  variables: [{ key: "STAGEDOOR_REQUEST_ID", value: "r-1" }],
};
seen.started = (await bitbucket.pipelines.create({ ...where, _body })).data;
const pipeline_uuid = seen.started.uuid;
seen.ended = await until(async () => {
  const { data } = await bitbucket.pipelines.get({ ...where, pipeline_uuid });
  return data.completed_on && data;
});
seen.steps = (await bitbucket.pipelines.listSteps({ ...where, pipeline_uuid })).data.values;
seen.builds = (await bitbucket.pipelines.list({ ...where, sort: "-created_on" })).data.values.length;
seen.stopped = await refused(() => bitbucket.pipelines.stop({ ...where, pipeline_uuid }));
seen.absent = await refused(() => bitbucket.repositories.get({ ...where, repo_slug: "none" }));
process.stdout.write(JSON.stringify(seen));
