// Looking at the graph: drag to move, wheel or pinch to come closer.

const NEAREST = 2.2;
const FARTHEST = 0.08;
const READABLE = 0.5;
const MARGIN = 26;

export class Camera {
  x = 0;
  y = 0;
  scale = 1;
  moved = false;
  dragged = false;

  #pointers = new Map();
  #box = { x: 0, y: 0, width: 1, height: 1 };
  #travel = null;

  /** Moves `scene`, a group inside `view`; `changed(scale)` is told of each new scale. */
  constructor(view, scene, changed) {
    Object.assign(this, { view, scene, changed });
    view.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    view.addEventListener("pointerdown", (event) => this.#down(event));
    view.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) view.addEventListener(type, (event) => this.#up(event));
    new ResizeObserver(() => this.moved || this.home(false)).observe(view);
  }

  /** Says how large the scene is. */
  over(box) {
    this.#box = box;
    this.moved = false;
  }

  /** Shows everything, or on a small screen the beginning of it, large enough to read. */
  home(smoothly = true) {
    const { width, height } = this.view.getBoundingClientRect();
    const scale = this.#fitting(this.#box);
    if (width >= 700 || scale >= READABLE) return this.fit(smoothly);
    const y = (height - this.#box.height * READABLE) / 2 - this.#box.y * READABLE;
    this.#go({ scale: READABLE, x: MARGIN / 2 - this.#box.x * READABLE, y }, smoothly);
  }

  /** Shows everything. */
  fit(smoothly = true) {
    this.#frame(this.#box, this.#fitting(this.#box), smoothly);
    this.moved = false;
  }

  /** The scale at which a box fills the view. */
  #fitting(box) {
    const { width, height } = this.view.getBoundingClientRect();
    const scale = Math.min((width - 2 * MARGIN) / box.width, (height - 2 * MARGIN - 16) / box.height, 1.1);
    return Math.max(scale, FARTHEST);
  }

  #frame(box, scale, smoothly) {
    const { width, height } = this.view.getBoundingClientRect();
    if (!width || !height) return;
    const x = (width - box.width * scale) / 2 - box.x * scale;
    const y = (height - 16 - box.height * scale) / 2 - box.y * scale;
    this.#go({ scale, x, y }, smoothly);
  }

  /** Comes closer or goes farther away, around a point of the view (its middle by default). */
  zoom(factor, at = null, smoothly = true) {
    const { width, height } = this.view.getBoundingClientRect();
    const { x, y } = at ?? { x: width / 2, y: height / 2 };
    const scale = Math.min(NEAREST, Math.max(FARTHEST, this.scale * factor));
    const by = scale / this.scale;
    this.#go({ scale, x: x - (x - this.x) * by, y: y - (y - this.y) * by }, smoothly);
    this.moved = true;
  }

  /** Brings nodes into sight, if they are not there already, and large enough to read. */
  show(...nodes) {
    const { width, height } = this.view.getBoundingClientRect();
    const left = Math.min(...nodes.map((node) => node.x - node.width / 2));
    const top = Math.min(...nodes.map((node) => node.y - node.height / 2));
    const right = Math.max(...nodes.map((node) => node.x + node.width / 2));
    const bottom = Math.max(...nodes.map((node) => node.y + node.height / 2));
    const seen = (x, y) => x * this.scale + this.x > 4 && x * this.scale + this.x < width - 4 && y * this.scale + this.y > 4 && y * this.scale + this.y < height - 4;
    const box = { x: left, y: top, width: right - left, height: bottom - top };
    const scale = Math.min(this.#fitting(box), Math.max(this.scale, 0.8));
    if (seen(left, top) && seen(right, bottom) && (this.scale >= READABLE || scale < this.scale * 1.2)) return;
    this.#frame(box, scale, true);
    this.moved = true;
  }

  pan(x, y) {
    this.#go({ scale: this.scale, x: this.x + x, y: this.y + y }, true);
    this.moved = true;
  }

  #set({ x, y, scale }) {
    Object.assign(this, { x, y, scale });
    this.scene.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${scale.toFixed(4)})`);
    this.changed(scale);
  }

  #go(to, smoothly) {
    cancelAnimationFrame(this.#travel);
    if (!smoothly || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#set(to);
      return;
    }
    const from = { x: this.x, y: this.y, scale: this.scale };
    const start = performance.now();
    const frame = (time) => {
      const part = Math.min(1, Math.max(0, (time - start) / 260));
      const eased = 1 - (1 - part) ** 3;
      this.#set({
        x: from.x + (to.x - from.x) * eased,
        y: from.y + (to.y - from.y) * eased,
        scale: from.scale + (to.scale - from.scale) * eased,
      });
      if (part < 1) this.#travel = requestAnimationFrame(frame);
    };
    this.#travel = requestAnimationFrame(frame);
  }

  #wheel(event) {
    event.preventDefault();
    const mouse = event.deltaMode !== 0 || (event.deltaX === 0 && Math.abs(event.deltaY) >= 50);
    if (event.ctrlKey || event.metaKey || mouse) {
      const by = event.deltaMode === 0 ? event.deltaY : event.deltaY * 30;
      const factor = Math.exp(-Math.max(-120, Math.min(120, by)) * (event.ctrlKey && !mouse ? 0.01 : 0.0022));
      this.zoom(factor, this.#point(event), false);
    } else {
      this.#go({ scale: this.scale, x: this.x - event.deltaX, y: this.y - event.deltaY }, false);
      this.moved = true;
    }
  }

  #point(event) {
    const box = this.view.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #down(event) {
    if (event.button !== 0) return;
    this.dragged = false;
    this.#pointers.set(event.pointerId, { ...this.#point(event), far: 0 });
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const here = this.#point(event);
    const others = [...this.#pointers.entries()].filter(([id]) => id !== event.pointerId);
    const far = before.far + Math.hypot(here.x - before.x, here.y - before.y);
    this.#pointers.set(event.pointerId, { ...here, far });
    if (far < 4) return;
    this.dragged = true;
    if (!this.view.hasPointerCapture(event.pointerId)) this.view.setPointerCapture(event.pointerId);
    if (others.length === 1) {
      const [, other] = others[0];
      const ratio = Math.hypot(here.x - other.x, here.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
      this.zoom(ratio, { x: (here.x + other.x) / 2, y: (here.y + other.y) / 2 }, false);
    } else if (others.length === 0) {
      this.#go({ scale: this.scale, x: this.x + here.x - before.x, y: this.y + here.y - before.y }, false);
      this.moved = true;
    }
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
  }
}
