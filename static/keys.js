/* The keyboard: j and k walk, letters act on the chosen row or press the control that carries the key, g goes somewhere. */

import { act, chosen, correct, mark, step } from "./rows.js";
import { pick } from "./picks.js";

const PLACES = { m: "/", i: "/inbox", r: "/inbox?needs_reply=1&done=0&sort=score", l: "/later", c: "/threads", o: "/outbox", f: "/rules", t: "/tags", a: "/accounts", j: "/jobs", s: "/settings" };
const ACTS = { m: "read", s: "flagged", y: "archive", "#": "trash" };
let going = 0;      // until when a letter after g is a place

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select, textarea, dialog")) return leave(event);
    if (pressed(event.key, event)) event.preventDefault();
  });
}

function leave(event) {
  if (event.key === "Escape" && event.target.matches("input[type=search]")) event.target.blur();
}

function pressed(key, event) {
  if (Date.now() < going) {
    going = 0;
    if (PLACES[key]) return location.assign(PLACES[key]), true;
  }
  if (key === "g") return going = Date.now() + 1500, false;
  if (key === "j" || key === "k") return step(key === "j" ? 1 : -1), true;
  if (key === "?") return document.getElementById("help")?.showModal(), true;
  const row = chosen();
  if (row && (key === "o" || (key === "Enter" && event.target === document.body))) return row.querySelector("a").click(), true;
  if (row && key === "x") return pick(row), true;
  if (row && key === "e") return mark(row), true;
  if (row && ACTS[key]) return act(row, ACTS[key]), true;
  if (row && /^[1-9]$/.test(key)) return correct(row, key), true;
  return press(document.querySelector(`[data-key="${CSS.escape(key)}"]`));
}

function press(control) {
  if (!control || control.disabled) return false;
  if (control.matches("input")) control.select();
  control.focus();
  if (!control.matches("input")) control.click();
  return true;
}
