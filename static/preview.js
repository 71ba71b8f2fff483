/* The rule editor shows what a rule would match while it is written: presses its own preview button after each change. */

import { send } from "./dom.js";

const CALM = 500;       // milliseconds without a change
let timer = 0;

export function listen() {
  for (const kind of ["input", "change"]) document.addEventListener(kind, changed);
}

function changed(event) {
  const form = event.target.closest("[data-preview]");
  if (!form) return;
  clearTimeout(timer);
  timer = setTimeout(() => send(form, form.querySelector("[value=preview]")).catch(() => {}), CALM);
}
