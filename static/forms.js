/* Makes forms quicker than a page load: job buttons, acts that stay on the page, quick acts in lists, busy buttons. */

import { post, refresh, send, toast } from "./dom.js";
import { act, mark } from "./rows.js";

export function listen() {
  document.addEventListener("submit", submitted);
  document.addEventListener("click", clicked);
  addEventListener("pageshow", () => document.querySelectorAll("[data-waiting]").forEach(free));
}

function submitted(event) {
  const form = event.target, button = event.submitter;
  if (form.matches("[data-job]")) return instead(event, form, () => start(form));
  if (form.matches("[data-swap]")) return instead(event, form, () => send(form, button));
  if (form.matches("[data-busy]")) hold(form);
}

function instead(event, form, act) {
  event.preventDefault();
  if (form.hasAttribute("data-waiting")) return;
  hold(form);
  act().catch((error) => toast(error.message)).finally(() => free(form));
}

/* A job that runs already answers 409: show that one. */
async function start(form) {
  const { csrf, ...body } = Object.fromEntries(new FormData(form));
  await post(form.getAttribute("action"), body).catch((error) => { if (!error.data?.task_id) throw error; });
  await refresh();
}

function clicked(event) {
  const done = event.target.closest("[data-done]");
  if (done) {
    event.preventDefault();
    mark(done.closest(".row"));
  }
  const quick = event.target.closest("[data-act]");
  if (quick) {
    event.preventDefault();
    act(quick.closest(".row"), quick.dataset.act);
  }
  const opener = event.target.closest("[data-open]");
  if (opener) {
    event.preventDefault();
    document.getElementById(opener.dataset.open).showModal();
  }
  if (event.target.closest("[data-close]")) {
    event.preventDefault();
    event.target.closest("dialog").close();
  }
  if (event.target.matches("dialog")) event.target.close();
}

function hold(form) {
  form.setAttribute("data-waiting", "");
  form.setAttribute("aria-busy", "true");
}

function free(form) {
  form.removeAttribute("data-waiting");
  form.removeAttribute("aria-busy");
}
