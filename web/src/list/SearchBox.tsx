import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useKeys } from "../lib/keys";
import { CloseIcon, SearchIcon } from "../shell/icons";
import { go, place } from "../state/route";

/** Typing settles for this long before the list is asked again. */
const SETTLE_MS = 180;
const FILTERS = ["status:running", "has:error", "since:1h", "model:", "agent:", "cost:>0.10"];

export function SearchBox() {
  const field = useRef<HTMLInputElement>(null);
  const typed = useSignal(place.peek().search);
  const isFocused = useSignal(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const search = place.value.search;

  // Back and forward change the search too; what is being typed is left alone.
  useEffect(() => {
    if (document.activeElement !== field.current) typed.value = search;
  }, [search]);

  useKeys(
    () => [
      {
        key: "/",
        label: "/",
        group: "Everywhere",
        says: "search",
        run: () => {
          field.current?.focus();
          field.current?.select();
        },
      },
    ],
    [],
  );

  const commit = (value: string, wait: number) => {
    typed.value = value;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => go({ search: value.trim() }, "replace"), wait);
  };
  const add = (filter: string) => {
    const kept = typed.value.trim();
    commit(kept ? `${kept} ${filter}` : filter, 0);
    field.current?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.preventDefault();
      if (typed.value) commit("", 0);
      else field.current?.blur();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      commit(typed.value, 0);
      document.querySelector<HTMLElement>(".trace-rows")?.focus();
    }
  };
  return (
    <div class="search" role="search">
      <SearchIcon />
      <input
        ref={field}
        type="text"
        value={typed.value}
        placeholder="Search prompts and answers"
        aria-label="Search traces"
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => commit(event.currentTarget.value, SETTLE_MS)}
        onKeyDown={keys}
        onFocus={() => {
          isFocused.value = true;
        }}
        onBlur={() => {
          isFocused.value = false;
        }}
      />
      {typed.value ? (
        <button type="button" class="icon-button" aria-label="Clear the search" onClick={() => commit("", 0)}>
          <CloseIcon />
        </button>
      ) : (
        <kbd aria-hidden="true">/</kbd>
      )}
      {isFocused.value && /(?:^|\s)$/.test(typed.value) && (
        <div class="search-hints">
          {FILTERS.map((filter) => (
            <button
              key={filter}
              type="button"
              tabIndex={-1}
              onMouseDown={(event) => {
                event.preventDefault();
                add(filter);
              }}
            >
              <code>{filter}</code>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
