// The SPARQL editor: YASGUI's grammar in CodeMirror, completion, the shipped questions, and what comes back.

import { ask, json } from "./api.js";
import { helps, hints, vocabulary } from "./completion.js";
import { el, fill, say, tell, trouble } from "./dom.js";
import { CodeMirror } from "./editor.js";
import { impactOfUpdate } from "./impact.js";
import { live } from "./live.js";
import { results } from "./results.js";
import { sure } from "./sure.js";
import { curie, prefixes } from "./terms.js";

const FIRST = `PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
SELECT ?route ?path ?service ?requests WHERE {
  ?route a agw:Route ; agw:routePath ?path ; agw:requestTotal ?requests .
  OPTIONAL { ?route agw:hasBackendService ?service }
}
ORDER BY DESC(?requests)`;
const UPDATES = new Set(["INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD"]);
const CHECKED_LINES = 2000;
const ACCEPT = "application/sparql-results+json, application/n-triples;q=0.9";

export function queryView(section) {
  const chooser = el("select", { id: "question", "aria-label": "A shipped question" }, el("option", { value: "" }, "Questions …"));
  const past = el("input", { id: "as-of", type: "text", class: "short", placeholder: "as of: now", autocomplete: "off", "aria-label": "As of revision: a number or a moment, empty for now", title: "A revision's number or a moment (2026-01-31T12:00:00Z)" });
  const run = el("button", { type: "button", id: "run", class: "first", onclick: () => execute() }, "Run");
  const dry = el("button", { type: "button", id: "dry", hidden: true, onclick: () => touch(), title: "Without making it" }, "What it would touch");
  const stop = el("button", { type: "button", id: "stop", hidden: true, onclick: () => flight?.abort() }, "Stop");
  const hint = el("p", { class: "hint", id: "syntax", role: "status" });
  const holder = el("div", { class: "editor" });
  const out = el("div", { class: "out", id: "result", "aria-live": "polite" });
  fill(section, el("div", { class: "row bar" }, chooser, el("span", { class: "grow" }), past, stop, dry, run), holder, hint, out);

  const editor = CodeMirror(holder, {
    value: FIRST,
    mode: "sparql11",
    lineNumbers: true,
    lineWrapping: true,
    matchBrackets: true,
    autoCloseBrackets: true,
    viewportMargin: 50,
    screenReaderLabel: "SPARQL query; Control Enter runs it, Control Space completes, Tab leaves",
    extraKeys: {
      Tab: false,
      "Shift-Tab": false,
      "Ctrl-Enter": () => execute(),
      "Cmd-Enter": () => execute(),
      "Ctrl-Space": () => complete(),
      "Ctrl-/": "toggleComment",
    },
  });
  let questions = [];
  let flight = null;
  let checking = 0;
  let marked = null;

  function complete() {
    editor.showHint({ hint: hints, completeSingle: false, closeCharacters: /[\s{}()[\];,]/ });
  }

  editor.on("inputRead", (_editor, change) => {
    if (!editor.state.completionActive && change.origin === "+input" && helps(editor)) complete();
  });
  editor.on("change", () => {
    clearTimeout(checking);
    checking = setTimeout(check, 250);
  });

  /** Say where the text stops being SPARQL, and what kind of text it is. */
  function check() {
    marked?.clear();
    let state = null;
    for (let line = 0; line < Math.min(editor.lineCount(), CHECKED_LINES); line += 1) {
      state = editor.getTokenAt({ line, ch: editor.getLine(line).length }, true).state;
      if (state.OK === false) {
        const [from, to] = [state.errorStartPos ?? 0, state.errorEndPos ?? editor.getLine(line).length];
        marked = editor.markText({ line, ch: from }, { line, ch: to }, { className: "wrong" });
        say(hint, state.errorMsg ? `Line ${line + 1}: ${state.errorMsg}` : `Line ${line + 1} is not SPARQL from column ${from + 1} on.`);
        return null;
      }
    }
    say(hint, "");
    const kind = state?.queryType ?? null;
    say(run, UPDATES.has(kind) ? "Update" : "Run");
    dry.hidden = !UPDATES.has(kind);
    return kind;
  }

  async function touch() {
    fill(out, el("p", { class: "quiet" }, "Asking …"));
    fill(out, await impactOfUpdate(editor.getValue()));
  }

  async function execute() {
    const updating = UPDATES.has(check());
    const text = editor.getValue();
    const headers = {};
    if (updating) {
      const why = await sure("Change the configuration?", "This update becomes a new revision if it is valid, and serves at once.", "Update", impactOfUpdate(text));
      if (why === null) return;
      if (why) headers["Agw-Message"] = why;
    }
    flight?.abort();
    const mine = (flight = new AbortController());
    stop.hidden = false;
    fill(out, el("p", { class: "quiet" }, "Asking …"));
    const begun = performance.now();
    try {
      const answer = await ask(past.value.trim() ? `/sparql?${new URLSearchParams({ revision: past.value.trim() })}` : "/sparql", { method: "POST", type: updating ? "application/sparql-update" : "application/sparql-query", accept: updating ? "application/json" : ACCEPT, body: text, headers, signal: mine.signal });
      const told = await answer.text();
      const seconds = (performance.now() - begun) / 1000;
      if (updating) changed(JSON.parse(told));
      else {
        await prefixes().catch(() => {});
        fill(out, results(told, answer.headers.get("Content-Type") ?? "", seconds, describe));
      }
    } catch (error) {
      if (error.name === "AbortError") fill(out, el("p", { class: "quiet" }, "Stopped."));
      else {
        fill(out, trouble(error));
        if (error.line) editor.setCursor({ line: error.line - 1, ch: Math.max(0, (error.column ?? 1) - 1) });
      }
    } finally {
      if (flight === mine) {
        flight = null;
        stop.hidden = true;
      }
    }
  }

  function changed(revision) {
    tell(`Revision ${revision.revision} serves.`);
    fill(out, el("p", null, `Revision ${revision.revision}: ${revision.added} triples added, ${revision.removed} removed. ${revision.summary}`));
    live.refresh();
  }

  /** Ask what is said of a thing. */
  function describe(iri) {
    const name = curie(iri);
    const [prefix] = name.split(":");
    editor.setValue(`DESCRIBE <${iri}>${name.startsWith("<") ? "" : `  # ${prefix}:${name.slice(prefix.length + 1)}`}`);
    execute();
  }

  chooser.addEventListener("change", () => {
    const chosen = questions.find((item) => item.name === chooser.value);
    if (chosen) {
      editor.setValue(chosen.query.trim());
      execute();
    }
  });

  async function fetchQuestions() {
    try {
      questions = await json("/queries");
      fill(chooser, el("option", { value: "" }, "Questions …"), questions.map((item) => el("option", { value: item.name, title: item.question }, `${item.name}: ${item.question}`.slice(0, 110))));
    } catch (error) {
      tell(error.message, "bad");
    }
  }

  fetchQuestions();
  vocabulary().catch(() => {});
  return {
    shown(parameters) {
      editor.refresh();
      check();
      const wanted = parameters.get("describe");
      if (wanted) {
        history.replaceState(null, "", "#query");
        describe(wanted);
      }
    },
  };
}
