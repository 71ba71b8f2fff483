/* Follows jobs: asks /tasks/<id> with growing gaps, moves the bar, and brings in the result when the job ends. */

import { refresh, say } from "./dom.js";

const LIVE = ["queued", "running", "retrying", "waiting"];
const followed = new Map();     // address → timer

export function follow() {
  for (const [url, timer] of followed) {
    if (!places(url).length) { clearTimeout(timer); followed.delete(url); }
  }
  for (const place of document.querySelectorAll("[data-poll]")) {
    if (LIVE.includes(place.dataset.status) && !followed.has(place.dataset.poll)) wait(place.dataset.poll, 1000);
  }
}

const places = (url) => document.querySelectorAll(`[data-poll="${url}"]`);

function wait(url, gap, round = 1) {
  followed.set(url, setTimeout(() => look(url, gap, round), gap));
}

async function look(url, gap, round) {
  if (document.hidden) return wait(url, gap, round);
  const job = await fetch(url, { headers: { Accept: "application/json" } }).then((answer) => (answer.status === 401 ? location.reload() : answer.json())).catch(() => null);
  if (!followed.has(url)) return;
  if (job?.status && !LIVE.includes(job.status)) {
    followed.delete(url);
    return refresh().catch(() => {});
  }
  if (job?.status) for (const place of places(url)) tell(place, job);
  if (job?.status && round % 3 === 0 && document.querySelector("[data-refresh]")) await refresh("[data-live]").catch(() => {});
  wait(url, Math.min(gap * 1.25, 5000), round + 1);
}

function tell(place, job) {
  place.dataset.status = job.status;
  const bar = place.querySelector("progress"), message = place.querySelector("[data-message]"), percent = place.querySelector("[data-percent]");
  if (bar) bar.value = job.progress;
  if (message && job.message) message.textContent = job.message;
  if (percent) percent.textContent = [job.progress ? `${job.progress} %` : "", left(job.eta)].filter(Boolean).join(", ");
}

function left(eta) {
  const seconds = eta ? Math.round((new Date(eta) - Date.now()) / 1000) : 0;
  if (!(seconds > 3)) return "";
  return say("left", { time: seconds < 90 ? say("seconds", { n: seconds }) : say("minutes", { n: Math.round(seconds / 60) }) });
}
