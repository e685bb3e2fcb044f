// A SAML 2.0 identity provider (npm samlp) that knows one person and asks nothing.
// Environment: PORT, ACS, AUDIENCE, KEY, CERT (PEM). Prints "ready" once it listens.
import express from "express";
import samlp from "samlp";

const { PORT, ACS, AUDIENCE, KEY, CERT } = process.env;
const issuer = `http://127.0.0.1:${PORT}/metadata`;
const person = { id: "mara-0001" };
function profileMapper() {
  return {
    getClaims: () => ({
      email: "mara@example.com",
      given_name: "Mara",
      family_name: "Koch",
      groups: ["payments", "payments-deployers"],
    }),
    getNameIdentifier: () => ({
      nameIdentifier: person.id,
      nameIdentifierFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    }),
  };
}

const app = express();
app.get(
  "/sso",
  samlp.auth({
    issuer,
    cert: CERT,
    key: KEY,
    audience: AUDIENCE,
    destination: ACS,
    recipient: ACS,
    signatureAlgorithm: "rsa-sha256",
    digestAlgorithm: "sha256",
    signResponse: false,
    getUserFromRequest: () => person,
    getPostURL: (audience, request, req, done) => done(null, ACS),
    profileMapper,
  }),
);
app.get("/metadata", samlp.metadata({ issuer, cert: CERT, redirectEndpointPath: "/sso", postEndpointPath: "/sso" }));
app.listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
