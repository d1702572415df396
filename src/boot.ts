/** The executable's first script: runs the main script. */
import { runAsset } from "./asset.ts";

type Main = (load: typeof require, main: typeof module) => void;

// The build makes it so.
(runAsset("main.js") as Main)(require, module);
