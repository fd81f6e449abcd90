// What a newcomer needs: the two lines that send an agent's calls through the proxy, with the address it really has.
import { status } from "../state/app";
import { CopyButton } from "./Copy";

function lines(url: string): readonly string[] {
  return [`export ANTHROPIC_BASE_URL=${url}`, `export OPENAI_BASE_URL=${url}/v1`];
}

function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <pre class="snippet">
      <code>{text}</code>
      <CopyButton text={text} label={label} />
    </pre>
  );
}

export function Setup() {
  const told = status.value;
  const proxy = told?.proxy;
  if (told && !proxy?.running) {
    return (
      <div class="setup">
        <p>No proxy is running on this database. Start one in a terminal:</p>
        <Snippet text={`anton proxy start --db ${told.db}`} label="Copy the command" />
      </div>
    );
  }
  const url = (proxy?.url ?? "http://127.0.0.1:8000").replace(/\/$/, "");
  return (
    <div class="setup">
      <p>In the terminal where your agent runs:</p>
      {lines(url).map((line) => (
        <Snippet key={line} text={line} label={`Copy ${line.split("=")[0]}`} />
      ))}
      <p class="dim">
        Then start the agent as always. Its first call appears here while it is still being answered. Unset the two variables and it talks
        to the provider directly again.
      </p>
    </div>
  );
}
