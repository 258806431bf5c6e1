// Remakes the console's editor bundle: npm ci && npm run build.
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";

const out = "../../src/api_gateway_service_mesh/control/console/page";
await build({
  entryPoints: { editor: "entry.js" },
  outdir: out,
  bundle: true,
  format: "esm",
  minify: true,
  charset: "utf8",
  target: ["es2020"],
  legalComments: "none",
});

const parts = [
  ["CodeMirror", "codemirror", "LICENSE"],
  ["YASQE, of YASGUI (its SPARQL grammar)", "@triply/yasqe", "LICENSE.txt"],
];
let text = "editor.js and editor.css are bundled from:\n";
for (const [title, name, file] of parts) {
  const { version, license } = JSON.parse(await readFile(`node_modules/${name}/package.json`, "utf8"));
  text += `\n--- ${title}: ${name} ${version}, ${license}\n\n${(await readFile(`node_modules/${name}/${file}`, "utf8")).trim()}\n`;
}
await writeFile(`${out}/editor.LICENSES.txt`, text);
