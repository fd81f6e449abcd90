// The page begins here: keys, theme, widths, then the data.
import { render } from "preact";
import "./styles/tokens.css";
import "./styles/shell.css";
import "./styles/list.css";
import "./styles/trace.css";
import "./styles/detail.css";
import "./styles/graph.css";
import { listenForKeys } from "./lib/keys";
import { App } from "./shell/App";
import { applyWidths } from "./shell/Splitter";
import { begin } from "./state/app";
import { startTheme } from "./state/theme";

const root = document.getElementById("app");
if (root) {
  startTheme();
  applyWidths();
  listenForKeys();
  void begin();
  render(<App />, root);
}
