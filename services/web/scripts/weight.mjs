// Fails when the page's scripts are too heavy for a first look: gzipped, the entry with all that it imports at once.
import { readdir, readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const MOST_KB = 350;
const build = new URL("../../master/dcron_master/page/", import.meta.url);

const html = await readFile(new URL("index.html", build), "utf8");
const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(([, file]) => file);
const weigh = async (file) => gzipSync(await readFile(new URL(file, build))).length / 1000;
const sum = async (files) => (await Promise.all(files.map(weigh))).reduce((all, one) => all + one, 0);

const seen = new Set(first);
for (const file of seen) {
  const text = await readFile(new URL(file, build), "utf8");
  for (const [, other] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) seen.add(`assets/${other}`);
}
const entry = await sum([...seen]);
const all = await sum((await readdir(new URL("assets/", build))).filter((name) => name.endsWith(".js")).map((name) => `assets/${name}`));
console.log(`first load: ${entry.toFixed(0)} kB of script, gzipped (at most ${MOST_KB}); all pages: ${all.toFixed(0)} kB`);
if (first.length === 0 || entry > MOST_KB) process.exit(1);
