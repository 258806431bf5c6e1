// What was served, what changed between, and the way back.

import { ask, json } from "./api.js";
import { el, fill, pill, tell, trouble } from "./dom.js";
import { live } from "./live.js";
import { sure } from "./sure.js";
import { clipped, local, prefixes, written } from "./terms.js";
import { parse } from "./triples.js";

const FIRST = 50;
const MOST = 300;
const TONES = { added: "good", removed: "bad", changed: "warn" };

export function revisionsView(section) {
  const out = el("ol", { class: "revisions", "aria-label": "Revisions, newest first" });
  const failed = el("div");
  const more = el("button", { type: "button", hidden: true, onclick: () => ((shown *= 4), draw()) }, "Earlier revisions");
  fill(section, failed, out, more);
  let asked = 0;
  let shown = FIRST;

  async function draw() {
    if (section.hidden) return;
    const mine = (asked += 1);
    try {
      await prefixes().catch(() => {});
      const list = await json(`/revisions?limit=${shown + 1}`);
      if (mine !== asked) return;
      more.hidden = list.length <= shown;
      list.length = Math.min(list.length, shown);
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

  /** What going back would change. */
  async function preview(item) {
    try {
      return meaning(await json(`/revisions/${item.revision}/diff?from=${live.revision}`));
    } catch (error) {
      return trouble(error);
    }
  }

  async function rollBack(item) {
    const why = await sure(`Roll back to revision ${item.revision}?`, "Its configuration becomes a new revision and serves at once. Nothing of the history is lost.", "Roll back", preview(item));
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
  const words = item.parent === null ? null : json(`/revisions/${item.revision}/diff`).then(meaning, trouble);
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

/** `/diff` in words: what is different, what is only stated elsewhere, which requests see it. */
function meaning({ changes, moved, behaviour }) {
  const changed = changes.map((change) => {
    const said = change.statements.map((statement) => el("li", null, statement.text));
    return el("li", { title: change.iri }, pill(change.how, TONES[change.how]), ` ${change.kind} `, el("strong", null, change.name), said.length ? el("ul", null, said) : null);
  });
  const decided = behaviour.map(({ how, before, after, witness }) => {
    const query = new URLSearchParams({ method: witness.method, url: witness.url });
    for (const [name, value] of Object.entries(witness.headers)) query.append("header", `${name}: ${value}`);
    const link = el("a", { href: `#explain?${query}` }, `${witness.method} ${clipped(witness.url, 160)}`);
    return el("li", null, pill(how), " ", link, before.route === after.route && before.status === after.status ? ` ${decision(after)}` : ` ${decision(before)} → ${decision(after)}`);
  });
  return [
    changed.length ? el("ul", { class: "meaning" }, changed) : el("p", null, "Nothing that is served changed."),
    decided.length ? [el("h3", null, "Requests that are decided differently"), el("ul", { class: "meaning" }, decided)] : null,
    moved.length ? el("p", { class: "quiet" }, `Stated elsewhere, with the same effect: ${moved.map((item) => `${item.policy} of ${local(item.iri)}`).join(", ")}`) : null,
  ];
}

function decision({ route, status }) {
  return route === null ? String(status) : local(route) + (status ? ` (${status})` : "");
}
