/* What the other modules share: the words of the page, requests, toasts, and putting a fresh copy of the page in place. */

const PARTS = "[data-live], .side, #toasts";
const words = JSON.parse(document.getElementById("words").dataset.words);

export const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

const token = () => document.querySelector('meta[name="csrf-token"]').content;

/* Send JSON, get JSON. Anything but success becomes an Error whose message a person can read. */
export async function post(url, body = {}, method = "POST") {
  let answer;
  try {
    answer = await fetch(url, {
      method, body: JSON.stringify(body), redirect: "manual",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": token() },
    });
  } catch {
    throw new Error(say("offline"));
  }
  const data = await answer.json().catch(() => ({}));
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw Object.assign(new Error(data.message || say("failed")), { status: answer.status, data });
  return data;
}

/* Send a form the way the browser would, and show the page it leads to without leaving this one. */
export async function send(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  await show(await ask(form.action, { method: "POST", body, headers: { "X-CSRF-Token": token() } }));
}

/* Ask for this page again and put its living parts in place: what is read or typed meanwhile stays untouched. */
export async function refresh(parts = PARTS) {
  await show(await ask(location.href), parts);
}

async function ask(url, options = {}) {
  try {
    return await fetch(url, { ...options, headers: { Accept: "text/html", ...options.headers } });
  } catch {
    throw new Error(say("offline"));
  }
}

async function show(answer, parts = PARTS) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!page.querySelector(".app")) {
    if (answer.ok) return location.assign(answer.url);
    throw new Error(page.querySelector(".lead")?.textContent || say("failed"));
  }
  const again = focused(), here = document.querySelector(".row.here")?.dataset.id;
  if (new URL(answer.url).pathname !== location.pathname) {
    history.pushState(null, "", answer.url);
    parts = "#main, .side, #toasts, title";
    scrollTo(0, 0);
  }
  document.dispatchEvent(new Event("placing"));
  for (const part of document.querySelectorAll(parts)) place(part, page);
  document.querySelector(`.row[data-id="${here}"]`)?.classList.add("here");
  if (again) document.querySelector(again)?.focus({ preventScroll: true });
  document.dispatchEvent(new Event("placed"));
}

/* What somebody is writing stays as it is, until it has been kept. */
function place(part, page) {
  const name = part.dataset.live ? `[data-live="${part.dataset.live}"]` : part.id ? `#${part.id}` : part.matches(".side") ? ".side" : part.localName;
  const fresh = page.querySelector(name);
  if (part.id === "toasts" && !fresh.children.length) return;
  const kept = (field) => [field.defaultValue, fresh?.querySelector(`#${CSS.escape(field.id)}`)?.value].includes(field.value);
  if (![...part.querySelectorAll("textarea")].every(kept)) return;
  if (fresh && fresh.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(fresh));
}

/* A selector that finds the focused control again after its part of the page was replaced. */
function focused() {
  const at = document.activeElement ?? document.body, row = at.closest(".row");
  if (row) return `.row[data-id="${row.dataset.id}"] a`;
  if (at.dataset.key) return `[data-key="${at.dataset.key}"]`;
  return at.id ? `#${CSS.escape(at.id)}` : null;
}

/* Say something for a while, with a way back if there is one. */
export function toast(text, undo) {
  const box = document.createElement("div"), words = document.createElement("span");
  box.className = "toast";
  words.textContent = text;
  box.append(words);
  if (undo) {
    const button = document.createElement("button");
    button.className = "link";
    button.textContent = say("undo");
    button.addEventListener("click", () => { box.remove(); undo(); });
    box.append(button);
  }
  document.getElementById("toasts").replaceChildren(box);
  fade();
}

/* Toasts go away, but not under a hand or a focus. */
export function fade() {
  for (const box of document.querySelectorAll(".toast")) {
    const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : box.remove());
    setTimeout(leave, 7000);
  }
}
