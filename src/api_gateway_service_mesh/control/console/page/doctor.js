// What ails the gateway: the findings of an examination, the worst first, each with its evidence and its remedy.

import { json } from "./api.js";
import { el, fill, pill, trouble } from "./dom.js";

const TONES = { error: "bad", warning: "warn", info: "quiet" };

export function doctorView(section) {
  const out = el("div", { class: "out", id: "findings", "aria-live": "polite" });
  const button = el("button", { id: "examine", class: "first", type: "submit" }, "Examine");
  const connect = el("input", { id: "examine-connect", type: "checkbox", checked: true });
  const form = el(
    "form",
    { class: "asked", onsubmit: (event) => (event.preventDefault(), examine()) },
    el("label", { class: "check" }, connect, " Connect to every endpoint"),
    button,
  );
  fill(section, form, out);
  fill(out, el("p", { class: "quiet" }, "The doctor tries connections and handshakes, reads counters, clocks and certificates, and asks what is wrong. Nothing is changed."));

  async function examine() {
    button.disabled = true;
    try {
      fill(out, told(await json(`/doctor?connect=${connect.checked}`)));
    } catch (error) {
      fill(out, trouble(error));
    } finally {
      button.disabled = false;
    }
  }

  return {};
}

function told({ findings, failed, asked, revision }) {
  const counts = Object.keys(TONES).map((severity) => [severity, findings.filter((one) => one.severity === severity).length]);
  const some = counts.filter(([, count]) => count).map(([severity, count]) => pill(`${count} ${severity}${count > 1 && severity !== "info" ? "s" : ""}`, TONES[severity]));
  return [
    el("p", { id: "diagnosed" }, `${asked.length} questions asked of revision ${revision}: `, some.length ? some.flatMap((one) => [one, " "]) : "nothing found"),
    el("div", { class: "findings" }, findings.map(finding)),
    failed.map((one) => el("p", { class: "trouble" }, `${one.diagnosis} was not answered: ${one.why}`)),
  ];
}

function finding(one) {
  const more = Object.entries(one.evidence).filter(([, value]) => !one.message.includes(value) && !/^(https?:|urn:)/.test(value));
  return el(
    "details",
    { class: "finding", open: one.severity === "error" || null },
    el("summary", { title: one.question }, pill(one.severity, TONES[one.severity]), " ", one.message),
    more.length ? el("dl", { class: "pairs" }, more.map(([name, value]) => [el("dt", null, name), el("dd", null, value)])) : null,
    one.triples.length
      ? el("ul", { class: "triples" }, one.triples.map(({ triple, at }) => el("li", null, el("code", null, triple), el("span", { class: "quiet place", title: at }, at ? at.split("/").pop() : ""))))
      : null,
    one.remedy ? el("p", null, el("strong", null, "Remedy: "), one.remedy) : null,
    one.edit ? el("pre", { class: "mono scroll" }, one.edit) : null,
  );
}
