import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { bindKeys, boundKeys } from "../lib/keys";
import { CloseIcon } from "./icons";

export const helpIsOpen = signal(false);

export function Help() {
  return helpIsOpen.value ? <Sheet /> : null;
}

function Sheet() {
  const sheet = useRef<HTMLDivElement>(null);
  const close = () => {
    helpIsOpen.value = false;
  };
  useLayoutEffect(() => {
    const before = document.activeElement;
    sheet.current?.focus();
    const unbind = bindKeys([{ key: "Escape", label: "", group: "", says: "", run: close, inFields: true }]);
    return () => {
      unbind();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const groups = new Map<string, Map<string, string[]>>();
  for (const key of boundKeys()) {
    if (!key.group) continue;
    const said = groups.get(key.group) ?? new Map<string, string[]>();
    groups.set(key.group, said);
    const labels = said.get(key.says) ?? [];
    if (!labels.includes(key.label)) labels.push(key.label);
    said.set(key.says, labels);
  }
  return (
    <div class="veil" onClick={(event) => event.target === event.currentTarget && close()}>
      <div class="sheet" role="dialog" aria-modal="true" aria-label="Keyboard help" tabIndex={-1} ref={sheet}>
        <button type="button" class="icon-button sheet-close" aria-label="Close" onClick={close}>
          <CloseIcon />
        </button>
        <h2>Keyboard</h2>
        {[...groups].map(([group, said]) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl class="keys">
              {[...said].map(([says, labels]) => (
                <>
                  <dt>
                    {labels.map((label) => (
                      <kbd key={label}>{label}</kbd>
                    ))}
                  </dt>
                  <dd>{says}</dd>
                </>
              ))}
            </dl>
          </section>
        ))}
        <h3>Search</h3>
        <p class="dim">
          Words are looked for in prompts and answers. Filters: <code>model:</code> <code>agent:</code> <code>provider:</code>{" "}
          <code>status:failed</code> <code>has:error</code> <code>since:2h</code> <code>cost:&gt;0.50</code>
        </p>
      </div>
    </div>
  );
}
