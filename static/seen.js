/* An opened mail counts as read once it was shown for two seconds: told by a request of its own, never by opening the page. */

import { post, refresh } from "./dom.js";

const SHOWN = 2000;

export function watch() {
  const mail = document.querySelector("[data-unread]");
  if (!mail) return;
  const id = Number(location.pathname.split("/")[2]);
  mail.removeAttribute("data-unread");
  setTimeout(() => tell(mail, id), SHOWN);
}

function tell(mail, id) {
  if (!mail.isConnected) return;
  if (document.hidden) return document.addEventListener("visibilitychange", () => setTimeout(() => tell(mail, id), SHOWN), { once: true });
  post(`/api/emails/${id}/flags`, { read: true }).then(() => refresh("[data-live=acts], .side")).catch(() => {});
}
