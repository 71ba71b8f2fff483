/* Copies what stands in a field to the clipboard; without a script the button stays hidden. */

import { say, toast } from "./dom.js";

export function offer() {
  for (const button of document.querySelectorAll("[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(document.getElementById(button.dataset.copy)));
  }
}

/* Off https and loopback browsers give no clipboard: then the text is chosen, for the hand to copy. */
async function copy(field) {
  field.select();
  await navigator.clipboard?.writeText(field.value).then(() => toast(say("copied")), () => {});
}
