// Makes src/api/generated from api-documents: what the services say of themselves becomes the types that the page
// is checked against. `make web` has the services write the documents first.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const from = new URL("../api-documents/", import.meta.url);
const to = new URL("../src/api/generated/", import.meta.url);

await mkdir(to, { recursive: true });
for (const name of ["master", "log-ingester", "frames"]) {
  const document = JSON.parse(await readFile(new URL(`${name}.json`, from), "utf8"));
  const ast = await openapiTS(document, { defaultNonNullable: false });
  await writeFile(new URL(`${name}.ts`, to), `/* made by scripts/types.mjs */\n${astToString(ast)}`);
}
