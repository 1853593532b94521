/** The page's one animation loop and its one-second tick. Nothing is drawn in a hidden tab; it is drawn on return. */

/** @typedef {(now_ms: number) => void} Draw */

export class Loop {
  constructor() {
    /** @type {Draw[]} */
    this._draws = [];
    /** @type {(() => void)[]} */
    this._ticks = [];
    this._asked = false;
  }

  start() {
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this._tick();
    });
    setInterval(() => this._tick(), 1000);
    this.request();
  }

  /** Called in every frame in which something was asked for. @param {Draw} draw */
  onFrame(draw) {
    this._draws.push(draw);
  }

  /** Called every second while the tab is seen, before the frame. @param {() => void} tick */
  onTick(tick) {
    this._ticks.push(tick);
  }

  /** Ask for a frame; asking twice is one frame. */
  request() {
    if (this._asked || document.hidden) return;
    this._asked = true;
    requestAnimationFrame((now_ms) => {
      this._asked = false;
      for (const draw of this._draws) draw(now_ms);
    });
  }

  _tick() {
    if (document.hidden) return;
    for (const tick of this._ticks) tick();
    this.request();
  }
}
