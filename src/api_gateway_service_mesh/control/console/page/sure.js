// "Are you sure?", with a word for the history.

import { byId, fill, say } from "./dom.js";

const PATIENCE = 1500;

/**
 * What was written as the reason ("" for nothing), or null when the answer is no. `more` (a promise of nodes) is waited
 * for, but not long: what comes late would move the buttons under somebody's finger.
 */
export async function sure(title, text, verb, more = null) {
  const dialog = byId("sure-dialog");
  const told = await Promise.race([more, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  if (dialog.open) return null;
  say(byId("sure-title"), title);
  say(byId("sure-text"), text);
  fill(byId("sure-more"), told);
  say(byId("sure-do"), verb);
  byId("sure-why").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  byId("sure-why").focus();
  return new Promise((resolve) => {
    const closed = () => resolve(dialog.returnValue === "do" ? byId("sure-why").value.trim() : null);
    dialog.addEventListener("close", closed, { once: true });
  });
}
