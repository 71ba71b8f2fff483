/* Comfort on top of pages that work without it. */

import { offer } from "./copy.js";
import { fade } from "./dom.js";
import * as drafts from "./drafts.js";
import * as forms from "./forms.js";
import * as keys from "./keys.js";
import * as picks from "./picks.js";
import * as preview from "./preview.js";
import { follow } from "./poll.js";
import { equip, remember } from "./rows.js";
import { watch } from "./seen.js";

forms.listen();
drafts.listen();
keys.listen();
picks.listen();
preview.listen();
follow();
fade();
remember();
equip();
watch();
offer();
zones();
document.addEventListener("placed", () => { follow(); fade(); equip(); watch(); offer(); zones(); });
addEventListener("popstate", () => location.reload());

/* Whoever signs up lives where their browser does. */
for (const field of document.querySelectorAll("[data-zone]")) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";

/* The browser knows all time zones; the page only brings the common ones. */
function zones() {
  const list = document.querySelector("[data-zones]")?.list;
  const known = new Set([...list?.options ?? []].map((option) => option.value));
  if (list) list.append(...Intl.supportedValuesOf("timeZone").filter((zone) => !known.has(zone)).map((zone) => new Option("", zone)));
}
