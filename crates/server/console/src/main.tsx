import { render } from "preact";
import { App, applyTheme } from "./app";
import "./style.css";

applyTheme();
const root = document.getElementById("app");
if (root) render(<App />, root);
