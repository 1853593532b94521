/** The link's state where everybody sees it: header, banner, title, icon, and the look of the whole page. */

import { byId, setAttribute, setText } from "./dom.js";
import { counted, formatNumber } from "./format.js";

/** @typedef {import("./staleness.js").Verdict} Verdict */

/** A screen reader hears of changes at most so often; a flapping link would talk without end. */
const SPEAK_EVERY_MS = 8_000;
const NOTICE_MS = 8_000;

/** @type {Record<import("./staleness.js").Level, {icon: string, prefix: string}>} */
const SIGNS = {
  connecting: { icon: "wait", prefix: "" },
  live: { icon: "live", prefix: "" },
  layer: { icon: "slow", prefix: "" },
  link: { icon: "down", prefix: "Link down \u2013 " },
  receiving: { icon: "down", prefix: "Not receiving \u2013 " },
  storing: { icon: "down", prefix: "Not storing \u2013 " },
  refused: { icon: "down", prefix: "Signed out \u2013 " },
};

export class LinkBar {
  constructor() {
    this._pill = byId("link-state");
    this._label = byId("link-label");
    this._use = /** @type {Element} */ (this._pill.querySelector("use"));
    this._banner = byId("banner");
    this._bannerLabel = byId("banner-label");
    this._bannerDetail = byId("banner-detail");
    this._signIn = byId("banner-sign-in");
    this._spoken = byId("link-spoken");
    this._notice = byId("notice");
    this._favicon = byId("favicon");
    this._title = document.title;
    this._said = "";
    this._said_ms = 0;
    this._merged = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._noticeTimer = undefined;
  }

  /** @param {Verdict} verdict */
  show(verdict) {
    const sign = SIGNS[verdict.level];
    setText(this._label, verdict.label);
    setAttribute(this._pill, "data-level", verdict.level);
    setAttribute(this._pill, "title", verdict.detail || null);
    setAttribute(this._use, "href", "#i-" + sign.icon);
    setAttribute(document.documentElement, "data-stale", verdict.stale ? verdict.level : null);
    this._showBanner(verdict);
    if (document.title !== sign.prefix + this._title) document.title = sign.prefix + this._title;
    const icon = verdict.stale ? this._favicon.dataset.stale : this._favicon.dataset.live;
    if (icon) setAttribute(this._favicon, "href", icon);
    this._speak(verdict);
  }

  /** @param {Verdict} verdict */
  _showBanner(verdict) {
    const needed = verdict.stale || verdict.level === "layer";
    this._banner.hidden = !needed;
    if (!needed) return;
    setAttribute(this._banner, "data-level", verdict.level);
    setText(this._bannerLabel, verdict.label + ".");
    setText(this._bannerDetail, verdict.detail);
    this._signIn.hidden = verdict.level !== "refused";
  }

  /** @param {Verdict} verdict */
  _speak(verdict) {
    if (verdict.label === this._said || Date.now() - this._said_ms < SPEAK_EVERY_MS) return;
    // The first "Live" after loading is what everybody expects.
    if (this._said !== "" || verdict.stale) setText(this._spoken, verdict.label);
    this._said = verdict.label;
    this._said_ms = Date.now();
  }

  /**
   * Say for a moment what came back after a break.
   * @param {number} recovered
   * @param {number} lost
   */
  resumed(recovered, lost) {
    if (recovered + lost === 0) return;
    this._tell(
      "Resumed: " + counted(recovered, "reading") + " recovered, " + formatNumber(lost, 0) + " lost.",
    );
  }

  /** This browser is too slow: newer values replaced older ones before they were sent. @param {number} values */
  merged(values) {
    if (values === 0) return;
    this._merged += values;
    this._tell(
      "\u00d7" + formatNumber(this._merged, 0) + " merged: this browser is slower than the readings.",
    );
  }

  /** @param {string} text */
  _tell(text) {
    setText(this._notice, text);
    this._notice.hidden = false;
    clearTimeout(this._noticeTimer);
    this._noticeTimer = setTimeout(() => {
      this._notice.hidden = true;
      this._merged = 0;
    }, NOTICE_MS);
  }
}
