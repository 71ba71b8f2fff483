/* The rows of a list: which one is chosen, and acting on one. */

import { post, refresh, say, toast } from "./dom.js";

export const chosen = () => document.querySelector(".row.here");

/* Step through the list; the link of the row takes the focus, so that a screen reader says it. */
export function step(by) {
  const rows = [...document.querySelectorAll(".row")];
  if (!rows.length) return;
  const at = rows.indexOf(chosen());
  choose(rows[Math.max(0, Math.min(rows.length - 1, at < 0 && by < 0 ? 0 : at + by))]);
}

export function choose(row) {
  chosen()?.classList.remove("here");
  row.classList.add("here");
  row.querySelector("a").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/* Turn `done` of a row over, at once, and tell the server. */
export async function mark(row, quiet = false) {
  if (row.dataset.thread) return settle(row);
  const done = !row.classList.contains("done"), id = row.dataset.id;
  try {
    await post(`/api/emails/${id}/flags`, { done });
  } catch (error) {
    return toast(error.message);
  }
  row.classList.toggle("done", done);
  row.querySelector("[data-done]").value = Number(!done);
  if (!quiet) toast(say(done ? "done" : "undone"), () => mark(document.querySelector(`.row[data-id="${id}"]`) || row, true));
}

/* Deal with a whole thread. */
async function settle(row) {
  await post(`/thread/${row.dataset.thread}/done`, {}).then(() => refresh()).then(() => toast(say("thread_done"))).catch((error) => toast(error.message));
}

const SAID = { read: ["unread", "read"], flagged: ["unflagged", "flagged"] };

const AWAY = { trash: "trashed", archive: "archived" };

/* Turn `read` or `flagged` of a row over, or put its mail into archive or trash: here at once, on the server by a job. */
export async function act(row, what) {
  if (row.dataset.thread) return;       // which of its mails would be meant?
  const url = `/api/emails/${row.dataset.id}`, on = !row.classList.contains(what);
  try {
    const { acts } = await (AWAY[what] ? post(`${url}/${what}`) : post(`${url}/flags`, { [what]: on }));
    if (AWAY[what] && row === chosen()) step(row.nextElementSibling ? 1 : -1);
    await refresh();
    toast(AWAY[what] ? say(AWAY[what]) : say(SAID[what][Number(on)]), acts.length ? () => back(acts[0]) : undefined);
  } catch (error) {
    toast(error.message);
  }
}

/* Correct the rating of a row, as on a number pad: 7 8 9 are of today, 1 4 7 minor. */
export async function correct(row, key) {
  const url = `/api/emails/${row.dataset.id}/correct`, at = Number(key) - 1;
  try {
    await post(url, { urgency: Math.floor(at / 3) + 1, importance: (at % 3) + 1 });
    await refresh();
    toast(say("corrected"), () => post(url, {}, "DELETE").then(() => refresh()).catch((error) => toast(error.message)));
  } catch (error) {
    toast(error.message);
  }
}

async function back(id) {
  await post(`/api/journal/${id}/undo`).then(() => refresh()).catch((error) => toast(error.message));
}

/* Give each row its quick acts, which would weigh too much written out for every row of the page. */
export function equip() {
  const acts = document.getElementById("quick-acts");
  for (const place of document.querySelectorAll(".quick")) {
    if (acts && !place.querySelector("[data-act]")) place.prepend(acts.content.cloneNode(true));
  }
}

/* Coming back from a mail, one is in the same list again, at the same row. */
export function remember() {
  const list = sessionStorage.getItem("list"), back = document.querySelector("[data-back]");
  if (list && back) back.href = list;
  document.querySelector(`.row[data-id="${Number(sessionStorage.getItem("row")) || 0}"]`)?.classList.add("here");
  addEventListener("pagehide", () => {
    if (document.querySelector(".rows")) sessionStorage.setItem("list", location.pathname + location.search);
    sessionStorage.setItem("row", chosen()?.dataset.id ?? location.pathname.match(/^\/email\/(\d+)/)?.[1] ?? "");
  });
}
