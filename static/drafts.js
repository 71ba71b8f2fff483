/* What is being written is kept as one types: subject and text, two seconds after the last key. */

import { post, say } from "./dom.js";

const QUIET = 2000;
let waiting = 0;

export function listen() {
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form.letter");
    if (!form || !event.target.matches("[name=subject], [name=text]")) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => keep(form), QUIET);
  });
}

async function keep(form) {
  const told = form.querySelector("[data-kept]"), id = form.getAttribute("action").split("/").pop();
  const typed = { subject: form.elements.subject.value, text: form.elements.text.value };
  const words = await post(`/api/drafts/${id}`, typed, "PUT").then(() => say("kept"), (error) => error.message);
  if (told) told.textContent = words;
}
