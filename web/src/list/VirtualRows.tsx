// Rows of one height, of which only those in sight exist: 100,000 cost what 40 do.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

/** Rows kept above and below the sight, so that a fast wheel meets no gap. */
const OVERSCAN_ROWS = 8;

interface Props {
  readonly count: number;
  readonly rowHeight: number;
  readonly row: (index: number) => ComponentChildren;
  /** Kept in sight when it changes. */
  readonly active?: number | undefined;
  readonly class?: string;
  readonly onTop?: (atTop: boolean) => void;
  /** The last rows are near: there may be more to fetch. */
  readonly onEnd?: () => void;
  readonly header?: ComponentChildren;
  readonly keyOf: (index: number) => string;
  readonly attributes?: Record<string, unknown>;
}

export function VirtualRows(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  const { count, rowHeight } = props;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => {
      height.value = element.clientHeight;
    });
    watch.observe(element);
    height.value = element.clientHeight;
    return () => watch.disconnect();
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!element || props.active === undefined || props.active < 0) return;
    const head = element.firstElementChild?.classList.contains("rows-head") ? (element.firstElementChild as HTMLElement).offsetHeight : 0;
    const rowTop = props.active * rowHeight;
    if (rowTop < element.scrollTop) element.scrollTop = rowTop;
    else if (rowTop + rowHeight + head > element.scrollTop + element.clientHeight) {
      element.scrollTop = rowTop + rowHeight + head - element.clientHeight;
    }
  }, [props.active, rowHeight]);

  const first = Math.max(0, Math.floor(top.value / rowHeight) - OVERSCAN_ROWS);
  const last = Math.min(count, Math.ceil((top.value + height.value) / rowHeight) + OVERSCAN_ROWS);

  useEffect(() => {
    if (last >= count - OVERSCAN_ROWS) props.onEnd?.();
  }, [last, count]);

  const rows: ComponentChildren[] = [];
  for (let index = first; index < last; index += 1) {
    rows.push(
      <Slot key={props.keyOf(index)} top={index * rowHeight} height={rowHeight}>
        {props.row(index)}
      </Slot>,
    );
  }
  return (
    <div
      {...props.attributes}
      ref={box}
      class={`rows ${props.class ?? ""}`}
      onScroll={(event) => {
        top.value = event.currentTarget.scrollTop;
        props.onTop?.(event.currentTarget.scrollTop < rowHeight / 2);
      }}
    >
      {props.header}
      <div class="rows-space" role="presentation" style={{ height: `${count * rowHeight}px` }}>
        {rows}
      </div>
    </div>
  );
}

function Slot({ top, height, children }: { top: number; height: number; children: ComponentChildren }) {
  return (
    <div class="row-slot" role="presentation" style={{ transform: `translateY(${top}px)`, height: `${height}px` }}>
      {children}
    </div>
  );
}
