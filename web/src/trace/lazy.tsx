// The graph and the timeline bring D3 with them: fetched when first shown, so that the first screen stays small.
import { type Signal, signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

function lazily(load: () => Promise<ComponentType>): ComponentType {
  const loaded: Signal<ComponentType | null> = signal(null);
  const failed = signal(false);
  return function Lazy() {
    useEffect(() => {
      if (loaded.peek() === null) {
        load().then(
          (found) => {
            loaded.value = found;
          },
          () => {
            failed.value = true;
          },
        );
      }
    }, []);
    const Loaded = loaded.value;
    if (Loaded) return <Loaded />;
    return failed.value ? (
      <p class="notice" role="alert">
        A part of the page could not be fetched. Reload it when the dashboard answers again.
      </p>
    ) : (
      <p class="notice dim" role="status">
        Loading …
      </p>
    );
  };
}

export const LazyGraph = lazily(() => import("../graph/GraphView").then((module) => module.GraphView));
export const LazyTimeline = lazily(() => import("../timeline/Timeline").then((module) => module.Timeline));
