// Makes echarts.min.js of the pinned packages: `npm ci && npm run build` in this folder.
//   node build.mjs [FILE]
import { build } from "esbuild";
import { readFileSync } from "node:fs";

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
const banner = `/*! Apache ECharts ${version("echarts")}, Copyright 2017-2026 The Apache Software Foundation, Apache License 2.0
(https://www.apache.org/licenses/LICENSE-2.0); with zrender ${version("zrender")}, Copyright (c) 2017, Baidu Inc., BSD 3-Clause License,
and tslib ${version("tslib")}, Copyright (c) Microsoft Corporation, 0BSD. A selection of its modules, minified. */`;

await build({
  entryPoints: ["entry.js"],
  outfile: process.argv[2] ?? "echarts.min.js",
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "echarts",
  target: "es2020",
  charset: "ascii",
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  banner: { js: banner },
});
