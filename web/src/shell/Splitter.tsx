// The border between two panes: dragged, or moved with the arrow keys; double click gives the usual width back.
import { useRef } from "preact/hooks";
import { remember, remembered } from "../lib/remember";

const STEP_PX = 24;
const KEPT_FOR_CENTRE_PX = 360;

interface Side {
  readonly name: "left" | "right";
  readonly label: string;
  readonly usual: number;
  readonly least: number;
}

export const LEFT: Side = { name: "left", label: "Width of the list", usual: 372, least: 240 };
export const RIGHT: Side = { name: "right", label: "Width of the detail", usual: 460, least: 320 };

const isWidth = (value: unknown): value is number => typeof value === "number" && value > 0;

function widthOf(side: Side): number {
  return remembered(`width.${side.name}`, side.usual, isWidth);
}

function apply(side: Side, wanted: number): number {
  const other = widthOf(side.name === "left" ? RIGHT : LEFT);
  const most = Math.max(side.least, window.innerWidth - other - KEPT_FOR_CENTRE_PX);
  const width = Math.round(Math.min(Math.max(wanted, side.least), most));
  document.documentElement.style.setProperty(`--${side.name}`, `${width}px`);
  return width;
}

export function applyWidths(): void {
  for (const side of [LEFT, RIGHT]) {
    const width = widthOf(side);
    if (width !== side.usual) apply(side, width);
  }
}

export function Splitter({ side }: { side: Side }) {
  const handle = useRef<HTMLDivElement>(null);
  const set = (wanted: number) => remember(`width.${side.name}`, apply(side, wanted));
  const drag = (event: PointerEvent) => {
    const element = handle.current;
    if (!element || event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    element.classList.add("dragging");
    const startX = event.clientX;
    const startWidth = element.parentElement?.offsetWidth ?? side.usual;
    element.onpointermove = (move) => set(startWidth + (side.name === "left" ? 1 : -1) * (move.clientX - startX));
    element.onpointerup = () => {
      element.onpointermove = null;
      element.classList.remove("dragging");
    };
  };
  const step = (event: KeyboardEvent) => {
    const way = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (way === 0) return;
    event.preventDefault();
    event.stopPropagation();
    set(widthOf(side) + STEP_PX * way * (side.name === "left" ? 1 : -1));
  };
  return (
    <div
      ref={handle}
      class="splitter"
      role="separator"
      aria-orientation="vertical"
      aria-label={side.label}
      aria-valuenow={widthOf(side)}
      aria-valuemin={side.least}
      tabIndex={0}
      onPointerDown={drag}
      onKeyDown={step}
      onDblClick={() => set(side.usual)}
    />
  );
}
