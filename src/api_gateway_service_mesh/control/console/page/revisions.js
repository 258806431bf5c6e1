// What was served, what changed between, and the way back.

import { ask, json } from "./api.js";
import { el, fill, pill, tell, trouble } from "./dom.js";
import { live } from "./live.js";
import { sure } from "./sure.js";
import { clipped, prefixes, written } from "./terms.js";
import { parse } from "./triples.js";

const MOST = 300;

export function revisionsView(section) {
  const out = el("ol", { class: "revisions", "aria-label": "Revisions, newest first" });
  const failed = el("div");
  fill(section, failed, out);
  let asked = 0;

  async function draw() {
    if (section.hidden) return;
    const mine = (asked += 1);
    try {
      await prefixes().catch(() => {});
      const list = await json("/revisions");
      if (mine !== asked) return;
      const served = list.find((item) => item.revision !== null)?.revision;
      fill(failed);
      const open = new Set([...out.querySelectorAll("[aria-expanded=true]")].map((button) => button.dataset.revision));
      fill(out, list.map((item) => entry(item, item.revision !== null && item.revision === served, open)));
    } catch (error) {
      fill(failed, trouble(error));
    }
  }

  function entry(item, served, open) {
    const refused = item.refused !== null;
    const title = refused ? "Refused" : `Revision ${item.revision}`;
    const when = new Date(item.at);
    const detail = el("div", { class: "detail", hidden: true });
    const back = el("button", { type: "button", class: "danger", "aria-label": `Roll back to revision ${item.revision}`, onclick: () => rollBack(item) }, "Roll back to this");
    const shows = el("button", { type: "button", "aria-expanded": "false", "data-revision": item.revision ?? item.at, onclick: () => toggle() }, refused ? "Findings" : "Changes");
    shows.setAttribute("aria-label", `${shows.textContent} of ${title.toLowerCase()}`);

    async function toggle() {
      detail.hidden = !detail.hidden;
      shows.setAttribute("aria-expanded", String(!detail.hidden));
      if (!detail.hidden && !detail.firstChild) fill(detail, refused ? findings(item.refused) : await difference(item));
    }

    if (open.has(shows.dataset.revision)) toggle();
    const counts = refused ? null : el("span", { class: "counts" }, el("span", { class: "good" }, `+${item.added}`), " ", el("span", { class: "bad" }, `−${item.removed}`));
    return el(
      "li",
      { class: served ? "served" : null },
      el("div", { class: "row" }, el("h2", null, title), served ? pill("serves", "good") : refused ? pill("refused", "bad") : null, item.rolled_back_to ? pill(`as ${item.rolled_back_to}`) : null, el("span", { class: "grow" }), counts, shows, refused || served ? null : back),
      el("p", null, clipped(item.summary ?? "", 400)),
      el("p", { class: "quiet" }, [el("time", { datetime: item.at }, when.toLocaleString()), ` by ${item.who}`, item.where ? ` from ${clipped(item.where, 90)}` : "", item.why ? `: ${clipped(item.why, 300)}` : ""]),
      detail,
    );
  }

  async function rollBack(item) {
    const why = await sure(`Roll back to revision ${item.revision}?`, "Its configuration becomes a new revision and serves at once. Nothing of the history is lost.", "Roll back");
    if (why === null) return;
    try {
      const answer = await ask(`/revisions/${item.revision}/rollback`, { method: "POST", headers: why ? { "Agw-Message": why } : {} });
      tell(`Revision ${(await answer.json()).revision} serves what revision ${item.revision} did.`);
      live.refresh();
      await draw();
    } catch (error) {
      fill(failed, trouble(error));
      failed.scrollIntoView({ block: "nearest" });
    }
  }

  live.addEventListener("config", draw);
  return { shown: draw };
}

function findings(report) {
  return (report.findings ?? []).map((item) => el("p", { class: "mono" }, [item.message, item.remedy].filter(Boolean).join(" — ")));
}

/** What a revision changed: in words where the gateway has them, and as triples. */
async function difference(item) {
  const words = json(`/revisions/${item.revision}/diff`).then(meaning).catch(() => null);
  try {
    const { added, removed } = await json(`/revisions/${item.revision}/delta`);
    const told = await words;
    const triples = el("ul", { class: "triples" }, side("+", "good", added), side("−", "bad", removed));
    return [told, told ? el("details", null, el("summary", null, `${added.length + removed.length} triples`), triples) : triples];
  } catch (error) {
    return [await words, trouble(error)];
  }
}

function side(sign, tone, lines) {
  const rows = parse(lines.slice(0, MOST).join("\n")).map(({ subject, predicate, object }) => el("li", { class: tone }, el("code", null, `${sign} ${written(subject)} ${written(predicate)} ${object.type === "literal" ? `"${object.value}"` : written(object)}`)));
  return [rows, lines.length > MOST ? el("li", { class: "quiet" }, `and ${lines.length - MOST} more`) : null];
}

/** The changes of `/diff`: each names a thing and says sentences about it. */
function meaning(answer) {
  const changes = Array.isArray(answer) ? answer : (answer.changes ?? []);
  const sentence = (item) => (typeof item === "string" ? item : (item.text ?? [item.what, item.before, "→", item.after].filter(Boolean).join(" ")));
  const rows = changes.map((change) => {
    if (typeof change === "string") return el("li", null, change);
    const said = (change.statements ?? []).map(sentence);
    return el("li", null, el("strong", null, `${change.kind ?? ""} ${change.name ?? change.iri ?? ""} `), change.how ? pill(change.how) : null, change.text ?? null, said.length ? el("ul", null, said.map((text) => el("li", null, text))) : null);
  });
  return rows.length ? el("ul", { class: "meaning" }, rows) : null;
}
