/* Chosen rows of a list: one by one, with Shift a stretch, or all; they stay chosen when the list is renewed. */

import { say } from "./dom.js";

const boxes = () => [...document.querySelectorAll(".pick input")];
const picked = () => boxes().filter((box) => box.checked);
let kept = [], last = null;

export function listen() {
  document.addEventListener("click", clicked);
  document.addEventListener("change", tell);
  document.addEventListener("placing", () => { kept = picked().map((box) => box.value); });
  document.addEventListener("placed", () => {
    for (const box of boxes()) box.checked = box.checked || kept.includes(box.value);
    tell();
  });
  tell();
}

/* Turn the choice of a row over. */
export function pick(row) {
  const box = row.querySelector(".pick input");
  if (!box) return;
  box.checked = !box.checked;
  last = box;
  tell();
}

function clicked(event) {
  const box = event.target;
  if (box.matches("[data-pick-all]")) boxes().forEach((one) => { one.checked = box.checked; });
  if (!box.matches(".pick input")) return;
  const all = boxes(), from = all.indexOf(last), to = all.indexOf(box);
  if (event.shiftKey && from >= 0) all.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((one) => { one.checked = box.checked; });
  last = box;
}

function tell() {
  const all = document.querySelector("[data-pick-all]");
  if (!all) return;
  const count = picked().length;
  all.closest("label").hidden = false;
  all.checked = count > 0 && count === boxes().length;
  all.indeterminate = count > 0 && !all.checked;
  document.querySelector("[data-picked]").textContent = count === 1 ? say("picked_one") : say("picked", { n: count });
}
