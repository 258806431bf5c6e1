// One request, and what the gateway does with it: the decision, the policies, the triples with file and line.

import { json } from "./api.js";
import { el, fill, pill, trouble } from "./dom.js";
import { prefixes, written } from "./terms.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

export function explainView(section) {
  const method = el("select", { id: "explain-method" }, METHODS.map((name) => el("option", null, name)));
  const url = el("input", { id: "explain-url", type: "text", placeholder: "/api/v1/users/7 or http://host/path", autocomplete: "off", spellcheck: "false", required: true });
  const headers = el("textarea", { id: "explain-headers", rows: 2, placeholder: "x-beta: yes", spellcheck: "false" });
  const past = el("input", { id: "explain-revision", type: "text", placeholder: "now", autocomplete: "off", title: "A revision's number or a moment (2026-01-31T12:00:00Z)" });
  const other = el("input", { id: "explain-why-not", type: "text", placeholder: "a route", autocomplete: "off", spellcheck: "false", title: "Why this route does not take the request, and an edit after which it does" });
  const out = el("div", { class: "out", id: "explanation", "aria-live": "polite" });
  const form = el(
    "form",
    { class: "asked", onsubmit: (event) => (event.preventDefault(), execute()) },
    el("div", { class: "field" }, el("label", { for: "explain-method" }, "Method"), method),
    el("div", { class: "field grow" }, el("label", { for: "explain-url" }, "URL"), url),
    el("div", { class: "field grow" }, el("label", { for: "explain-headers" }, "Headers, one a line"), headers),
    el("div", { class: "field short" }, el("label", { for: "explain-revision" }, "As of revision"), past),
    el("div", { class: "field short" }, el("label", { for: "explain-why-not" }, "Why not"), other),
    el("button", { class: "first", type: "submit" }, "Explain"),
  );
  fill(section, form, out);

  async function execute() {
    const query = new URLSearchParams({ method: method.value, url: url.value.trim() });
    for (const line of headers.value.split("\n")) if (line.trim()) query.append("header", line.trim());
    if (past.value.trim()) query.set("revision", past.value.trim());
    try {
      await prefixes().catch(() => {});
      const answer = await json(`/explain?${query}`);
      const wanted = other.value.trim();
      const reasons = wanted ? await json(`/explain?${query}&${new URLSearchParams({ why_not: wanted })}`) : null;
      // What acts on a route is told of what is served now.
      const acting = answer.winner && !past.value.trim() ? await json(`/effective?${new URLSearchParams({ route: answer.winner.iri })}`) : null;
      fill(out, told(answer), reasons ? whyNot(reasons, wanted) : null, acting ? effective(acting) : null);
    } catch (error) {
      fill(out, trouble(error));
    }
  }

  return {
    shown(parameters) {
      if (!parameters.has("url")) return;
      method.value = parameters.get("method") ?? "GET";
      url.value = parameters.get("url");
      headers.value = parameters.getAll("header").join("\n");
      history.replaceState(null, "", "#explain");
      execute();
    },
  };
}

function told(answer) {
  const { winner, status } = answer;
  const headline = winner ? ["→ ", el("span", { title: winner.iri }, winner.name)] : [`→ ${status ?? 404}`];
  return [
    el("h2", { class: "decision" }, headline),
    el("p", null, answer.why, answer.allow?.length ? ` Allowed: ${answer.allow.join(", ")}.` : ""),
    answer.parts.length ? block("What it does", parts(answer.parts)) : null,
    block(`Routes considered${answer.omitted ? ` (${answer.omitted} more left out)` : ""}`, answer.candidates.map(candidate)),
    block("Because of", citations(answer.citations)),
  ];
}

function whyNot({ failed, beaten_by: beaten, edit, update }, wanted) {
  if (!edit.length) return block(`Why not ${wanted}?`, el("p", { id: "why-not" }, "It does take this request."));
  const reasons = [
    ...failed.map(({ predicate, wanted: asked, got }) => el("li", null, `${predicate}: wants ${asked}, got ${got ?? "nothing"}`)),
    ...beaten.map(({ route, why }) => el("li", null, `${route} comes first: ${why}`)),
  ];
  return block(`Why not ${wanted}?`, el("ul", { id: "why-not", class: "triples" }, reasons), el("p", null, "After this edit it would: ", edit.join(", then "), "."), el("pre", { class: "mono scroll" }, update));
}

function effective({ policies, services }) {
  const rows = [...policies, ...services.flatMap((service) => service.policies)].map(({ kind, policies: counting, deciding, overridden }) =>
    el(
      "tr",
      null,
      el("td", null, kind),
      el("td", null, counting.map((iri) => written({ type: "uri", value: iri })).join(", ") || "none: declined"),
      el("td", null, deciding.map((said) => el("div", { title: said.at.join(", ") }, `${said.rank} ${written({ type: "uri", value: said.place })}`))),
      el("td", null, overridden.map((said) => el("div", { title: said.at.join(", ") }, `${said.rank} ${written({ type: "uri", value: said.place })}`))),
    ),
  );
  if (!rows.length) return null;
  const head = el("tr", null, ["Policy", "What counts", "Stated by", "Overrides"].map((name) => el("th", { scope: "col" }, name)));
  return block("Policies in effect", el("div", { class: "scroll", id: "effective" }, el("table", { class: "results" }, el("thead", null, head), el("tbody", null, rows))));
}

function block(title, ...content) {
  return el("section", { class: "block" }, el("h3", null, title), content);
}

function parts(list) {
  return el("dl", { class: "pairs" }, list.map((part) => [el("dt", null, part.name), el("dd", { title: part.iri }, part.text)]));
}

function candidate(item) {
  const rows = item.verdicts.map((verdict) =>
    el("tr", { class: verdict.held ? null : "failed" }, el("td", null, verdict.predicate), el("td", null, el("code", null, verdict.wanted)), el("td", null, el("code", null, verdict.got ?? "–")), el("td", null, verdict.held ? "holds" : "does not hold")),
  );
  const head = el("tr", null, ["Condition", "Wanted", "Got", "Verdict"].map((name) => el("th", { scope: "col" }, name)));
  return el(
    "details",
    { open: item.held || null },
    el("summary", { title: item.iri }, pill(item.held ? "holds" : "no", item.held ? "good" : "quiet"), " ", item.name),
    el("div", { class: "scroll" }, el("table", { class: "results" }, el("thead", null, head), el("tbody", null, rows))),
  );
}

function citations(list) {
  const named = (value) => (/^[A-Za-z][\w+.-]*:[^\s]*$/.test(value) ? written({ type: "uri", value }) : `"${value}"`);
  const rows = list.map(({ subject, predicate, object, location }) => {
    const file = location ? location.file.split("/").pop() : "";
    const place = location ? `${file}:${location.line}:${location.column}` : "follows from others";
    return el("li", null, el("code", null, `${named(subject)} ${named(predicate)} ${named(object)}`), el("span", { class: "quiet place", title: location?.file }, place));
  });
  return el("ul", { class: "triples" }, rows);
}
