// "Are you sure?", with a word for the history.

import { byId, fill, say } from "./dom.js";

let latest = null;

/** What was written as the reason ("" for nothing), or null when the answer is no. `more` comes when it is there. */
export function sure(title, text, verb, more = null) {
  const dialog = byId("sure-dialog");
  say(byId("sure-title"), title);
  say(byId("sure-text"), text);
  say(byId("sure-do"), verb);
  byId("sure-why").value = "";
  const about = fill(byId("sure-more"));
  const mine = (latest = {});
  Promise.resolve(more).then((told) => mine === latest && fill(about, told));
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "do" ? byId("sure-why").value.trim() : null), { once: true });
    dialog.showModal();
  });
}
