// A strict OpenID provider for the tests: PKCE required, claims from userinfo only.
// Environment: PORT, CLIENT_ID, CLIENT_SECRET, PORTAL, QUIRKS, and LISTENER, which is told of
// sign-outs. Prints "ready" once it listens.
import { readdirSync, readFileSync } from "node:fs";
import Provider from "oidc-provider";

const { PORT, CLIENT_ID, CLIENT_SECRET, PORTAL, QUIRKS, LISTENER } = process.env;

// Who signs in under the name of a file in QUIRKS has the claims that it holds.
const quirks = Object.fromEntries(
  readdirSync(QUIRKS)
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name.slice(0, -5), JSON.parse(readFileSync(`${QUIRKS}/${name}`)).claims]),
);
const quirky = Object.values(quirks).flatMap((claims) => Object.keys(claims));

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: [`${PORTAL}/oidc/callback/`],
      post_logout_redirect_uris: [`${PORTAL}/signed-out/`],
      token_endpoint_auth_method: "client_secret_post",
      backchannel_logout_uri: `${LISTENER}/oidc/backchannel-logout/`,
      backchannel_logout_session_required: true,
    },
  ],
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name", "given_name", "family_name", "preferred_username"],
    groups: ["groups", ...quirky],
  },
  cookies: { keys: ["only-for-tests"] },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
  },
  // Its own would not reach loopback, where the listener is.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@example.com`,
      email_verified: true,
      name: "Mara Koch",
      given_name: "Mara",
      family_name: "Koch",
      preferred_username: id,
      groups: ["payments", "payments-deployers"],
      ...(quirks[id] && { groups: undefined, ...quirks[id] }),
    }),
  }),
});

provider.listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
