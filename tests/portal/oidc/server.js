// A strict OpenID provider for the tests: PKCE required, claims from userinfo only.
// Environment: PORT, CLIENT_ID, CLIENT_SECRET, PORTAL. Prints "ready" once it listens.
import Provider from "oidc-provider";

const { PORT, CLIENT_ID, CLIENT_SECRET, PORTAL } = process.env;

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: [`${PORTAL}/oidc/callback/`],
      post_logout_redirect_uris: [`${PORTAL}/signed-out/`],
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name", "given_name", "family_name", "preferred_username"],
    groups: ["groups"],
  },
  cookies: { keys: ["only-for-tests"] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
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
    }),
  }),
});

provider.listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
