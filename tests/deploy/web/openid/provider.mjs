// An OpenID Connect provider that nobody of ours wrote, with its own forms: whoever names a login is that person.
// Usage: node provider.mjs PORT ADDRESS-TO-SEND-PEOPLE-BACK-TO
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = createRequire(`${process.cwd()}/x.js`);
const { Provider } = await import(pathToFileURL(here.resolve("oidc-provider")).href);
const [port, back] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "pages", client_secret: "of these tests & more", redirect_uris: [back] }],
  claims: { openid: ["sub"], profile: ["preferred_username"] },
  cookies: { keys: ["of these tests"] },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id }) }),
  pkce: { required: () => true },
});
provider.listen(Number(port), "127.0.0.1");
