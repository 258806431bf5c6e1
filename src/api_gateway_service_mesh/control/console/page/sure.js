// "Are you sure?", with a word for the history.

import { byId, say } from "./dom.js";

/** What was written as the reason ("" for nothing), or null when the answer is no. */
export function sure(title, text, verb) {
  const dialog = byId("sure-dialog");
  say(byId("sure-title"), title);
  say(byId("sure-text"), text);
  say(byId("sure-do"), verb);
  byId("sure-why").value = "";
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "do" ? byId("sure-why").value.trim() : null), { once: true });
    dialog.showModal();
  });
}
