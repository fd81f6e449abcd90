import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { theme } from "../state/theme";
import type { Camera } from "./camera";
import type { Layout } from "./node";
import { drawOverview, fitEye, readPalette } from "./overview";
import type { Wire } from "./wires";

const WIDTH_PX = 168;
const HEIGHT_PX = 116;

interface Props {
  readonly layout: Layout;
  readonly wires: readonly Wire[];
  readonly camera: Camera;
  readonly selected: string | null;
}

/** The whole graph small, with the frame of what is in sight; a press moves the sight there. */
export function Minimap({ layout, wires, camera, selected }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const eye = fitEye(layout, WIDTH_PX, HEIGHT_PX, 6, 1);
  useSignalEffect(() => {
    const element = canvas.current;
    const { k, x, y } = camera.eye.value;
    theme.value;
    if (!element) return;
    const palette = readPalette(element.parentElement ?? document.body);
    drawOverview(element, layout, wires, eye, palette, selected);
    const pen = element.getContext("2d");
    if (!pen) return;
    const scale = window.devicePixelRatio || 1;
    const { width, height } = camera.size;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.strokeStyle = palette.accent;
    pen.lineWidth = 1.5;
    pen.strokeRect((-x / k) * eye.k + eye.x, (-y / k) * eye.k + eye.y, (width / k) * eye.k, (height / k) * eye.k);
  });
  const move = (event: PointerEvent) => {
    if (event.buttons !== 1 || !canvas.current) return;
    const box = canvas.current.getBoundingClientRect();
    camera.wasMoved = true;
    camera.centre((event.clientX - box.left - eye.x) / eye.k, (event.clientY - box.top - eye.y) / eye.k);
  };
  return (
    <div class="minimap" aria-hidden="true">
      <canvas ref={canvas} width={WIDTH_PX} height={HEIGHT_PX} onPointerDown={move} onPointerMove={move} />
    </div>
  );
}
