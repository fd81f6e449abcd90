// Zoom and pan, by D3. The eye is a signal for those who draw by it; every change of it is set on the scene at once.
import { type Signal, signal } from "@preact/signals";
import { select } from "d3-selection";
import { type ZoomBehavior, zoom, zoomIdentity } from "d3-zoom";
import type { Layout, Node } from "./node";
import { type Eye, fitEye } from "./overview";

const MARGIN_PX = 32;
/** The buttons over the picture. */
const TOOLS_PX = 56;
const SMALLEST = 0.02;
const LARGEST = 2.5;
/** A fit never blows up a small graph beyond its natural size by more than this. */
const LARGEST_FIT = 1.15;

export class Camera {
  readonly eye: Signal<Eye> = signal({ k: 1, x: 0, y: 0 });
  /** The reader moved it: live growth no longer fits by itself. */
  wasMoved = false;
  #svg: SVGSVGElement | null = null;
  #zoom: ZoomBehavior<SVGSVGElement, unknown> | null = null;

  attach(svg: SVGSVGElement): () => void {
    this.#svg = svg;
    this.#zoom = zoom<SVGSVGElement, unknown>()
      .scaleExtent([SMALLEST, LARGEST])
      .filter(
        (event: Event) => event.type !== "dblclick" && !(event instanceof MouseEvent && event.type === "mousedown" && event.button !== 0),
      )
      .on("zoom", (event: { transform: Eye; sourceEvent: unknown }) => {
        if (event.sourceEvent) this.wasMoved = true;
        const { k, x, y } = event.transform;
        this.eye.value = { k, x, y };
      });
    select(svg).call(this.#zoom).on("dblclick.zoom", null);
    return () => {
      select(svg).on(".zoom", null);
      this.#svg = null;
      this.#zoom = null;
    };
  }

  set(eye: Eye): void {
    if (this.#svg && this.#zoom) select(this.#svg).call(this.#zoom.transform, zoomIdentity.translate(eye.x, eye.y).scale(eye.k));
  }

  get size(): { width: number; height: number } {
    return { width: this.#svg?.clientWidth ?? 0, height: this.#svg?.clientHeight ?? 0 };
  }

  fit(layout: Layout): void {
    const { width, height } = this.size;
    if (width > 0 && height > 0) this.set(fitEye(layout, width, height, MARGIN_PX, LARGEST_FIT, TOOLS_PX));
  }

  zoomBy(factor: number): void {
    if (this.#svg && this.#zoom) select(this.#svg).call(this.#zoom.scaleBy, factor);
  }

  /** Put a point of the graph at the middle of the sight. */
  centre(x: number, y: number): void {
    const { width, height } = this.size;
    const { k } = this.eye.peek();
    this.set({ k, x: width / 2 - k * x, y: height / 2 - k * y });
  }

  /** Move only as far as it takes to see a node whole. */
  reveal(node: Node): void {
    const { width, height } = this.size;
    const { k, x, y } = this.eye.peek();
    const pad = 24;
    const left = node.x * k + x - node.rx * k;
    const top = node.y * k + y - node.ry * k;
    const right = left + 2 * node.rx * k;
    const bottom = top + 2 * node.ry * k;
    const dx = left < pad ? pad - left : right > width - pad ? width - pad - right : 0;
    const dy = top < pad ? pad - top : bottom > height - pad ? height - pad - bottom : 0;
    if (dx !== 0 || dy !== 0) this.set({ k, x: x + dx, y: y + dy });
  }

  /** After a new layout, hold a node where it was on the screen. */
  hold(before: Node, after: Node): void {
    const { k, x, y } = this.eye.peek();
    this.set({ k, x: x + (before.x - after.x) * k, y: y + (before.y - after.y) * k });
  }
}
