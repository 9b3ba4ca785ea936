import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import "./styles/mantine.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import { App } from "./App";
import { keeper } from "./api/services";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element #root");
keeper.start();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
