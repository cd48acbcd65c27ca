"use strict";
// Draws the charts whose numbers stand in #charts into the places that name them. All texts go through
// textContent or ECharts' own escaping.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const hidden = new Set();
  const drawn = [];

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const text = (value, digits) => (value === null || value === undefined ? "-" : value.toFixed(digits));

  /** A box with a heading and rows of a name and a value, as nodes: names come from files. */
  function tip(heading, rows) {
    const box = document.createElement("div");
    box.className = "tip";
    box.append(Object.assign(document.createElement("b"), { textContent: heading }));
    for (const [name, value, mark] of rows) {
      const row = document.createElement("div");
      const label = Object.assign(document.createElement("span"), { textContent: name });
      if (mark !== undefined) label.style.color = color(`c${mark}`);
      row.append(label, Object.assign(document.createElement("span"), { textContent: value }));
      box.append(row);
    }
    return box;
  }

  function axis(more) {
    const line = { lineStyle: { color: color("line") } };
    return {
      axisLine: line, axisTick: line, splitLine: line,
      axisLabel: { color: color("quiet"), hideOverlap: true, fontSize: 12 },
      nameTextStyle: { color: color("quiet"), fontSize: 12 },
      ...more,
    };
  }

  function base() {
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: color("ink") },
      tooltip: {
        confine: true, backgroundColor: color("soft"), borderColor: color("line"),
        textStyle: { color: color("ink") }, transitionDuration: 0,
      },
      grid: { left: 8, right: 20, top: 14, bottom: 34, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    };
  }

  const at = (chart, line, index) => chart.categories ? chart.categories[line.x[index]] : String(line.x[index]);

  function curvesTip(chart, x) {
    const rows = [];
    let heading = "";
    chart.lines.forEach((line) => {
      const index = line.x.indexOf(x);
      if (index < 0 || hidden.has(line.name)) return;
      heading = `${chart.x_name} ${at(chart, line, index)}`;
      const seeds = line.seeds.map((seed) => seed[index]).filter((value) => value !== null);
      const range = seeds.length > 1
        ? ` (${text(Math.min(...seeds), chart.decimals)} to ${text(Math.max(...seeds), chart.decimals)})` : "";
      rows.push([line.name, text(line.mean[index], chart.decimals) + range, line.color]);
    });
    return rows.length ? { heading, rows } : null;
  }

  function curves(chart) {
    const series = [];
    chart.lines.forEach((line, number) => {
      if (hidden.has(line.name)) return;
      const stroke = color(`c${line.color}`);
      const points = (values) => values.map((value, index) => [line.x[index], value]);
      const common = { type: "line", itemStyle: { color: stroke }, emphasis: { disabled: true } };
      const dash = line.dashed ? "dashed" : "solid";
      if (line.seeds.length > 1) {
        line.seeds.forEach((seed, own) => series.push({
          ...common, id: `${number} ${own}`, data: points(seed), showSymbol: false, silent: true, z: 1,
          lineStyle: { color: stroke, width: 1, opacity: 0.45, type: dash },
        }));
      }
      series.push({
        ...common, id: `${number}`, name: line.name, data: points(line.mean), z: 3,
        symbol: "circle", symbolSize: 6, showSymbol: line.x.length <= 12,
        lineStyle: { color: stroke, width: 3, type: dash },
      });
    });
    const option = base();
    option.tooltip.trigger = "axis";
    option.tooltip.axisPointer = { lineStyle: { color: color("quiet") } };
    option.tooltip.formatter = (points) => {
      const found = points.length ? curvesTip(chart, points[0].data[0]) : null;
      return found ? tip(found.heading, found.rows) : "";
    };
    const x = { name: chart.x_name, nameLocation: "middle", nameGap: 26, splitLine: { show: false } };
    const isWhole = chart.lines.every((line) => line.x.every(Number.isInteger));
    option.xAxis = chart.categories
      ? axis({ ...x, type: "category", data: chart.categories })
      : axis({ ...x, type: chart.log ? "log" : "value", min: "dataMin", max: "dataMax", minInterval: isWhole ? 1 : 0 });
    const most = (drawn) => drawn.max > 0.9 ? 1 : null;
    option.yAxis = axis({ type: "value", scale: true, max: chart.share ? most : null });
    option.series = series;
    return option;
  }

  const cellRows = (chart, cell) => [
    [chart.x_name, chart.x[cell[0]]], [chart.y_name, chart.y[cell[1]]],
    [chart.value_name, text(cell[2], chart.decimals)],
    ["standard deviation", text(cell[3], chart.decimals)], ["n", String(cell[4])],
  ];

  function heat(chart) {
    const option = base();
    const values = chart.cells.map((cell) => cell[2]);
    const least = Math.min(...values), most = Math.max(...values);
    const scale = ["#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"];
    option.grid.bottom = 44;
    option.grid.outerBoundsContain = "all";
    option.tooltip.formatter = (point) => tip("", cellRows(chart, point.data.value));
    option.xAxis = axis({ type: "category", data: chart.x, name: chart.x_name, nameLocation: "middle", nameGap: 26 });
    option.yAxis = axis({ type: "category", data: chart.y, name: chart.y_name, nameLocation: "middle", nameGap: 46 });
    option.visualMap = {
      type: "continuous", min: least, max: most, calculable: false, orient: "horizontal", left: "center", bottom: 4,
      itemWidth: 12, itemHeight: 160, precision: chart.decimals, dimension: 2, inRange: { color: scale },
      textStyle: { color: color("quiet") }, text: [text(most, chart.decimals), text(least, chart.decimals)],
    };
    const few = chart.cells.length <= 80;
    option.series = [{
      type: "heatmap",
      data: chart.cells.map((cell) => ({
        value: cell,
        label: { color: (cell[2] - least) / (most - least || 1) > 0.6 ? "#ffffff" : "#1b1f24" },
      })),
      label: { show: few, fontSize: 11, formatter: (point) => text(point.data.value[2], Math.max(chart.decimals - 1, 0)) },
      itemStyle: { borderColor: color("paper"), borderWidth: chart.cells.length <= 400 ? 1 : 0 },
      emphasis: { itemStyle: { borderColor: color("ink"), borderWidth: 2 } },
    }];
    return option;
  }

  function parallel(chart) {
    const option = base();
    const last = chart.axes.length - 1;
    const values = chart.lines.map((line) => line[last]);
    option.parallel = { left: 40, right: 90, top: 50, bottom: 20 };
    // Lines run behind the labels.
    const label = { color: color("ink"), fontSize: 12, textBorderColor: color("paper"), textBorderWidth: 3 };
    option.parallelAxis = chart.axes.map((each, dim) => axis({
      dim, z: 5, name: each.name, type: each.categories ? "category" : each.log ? "log" : "value",
      ...(each.categories ? { data: each.categories } : { scale: true, min: "dataMin", max: "dataMax" }),
      nameLocation: "end", nameGap: 14,
      axisLabel: each.categories
        ? { ...label, width: 110, overflow: "truncate" }
        : { ...label, formatter: (value) => String(Number(value.toPrecision(3))) },
      nameTextStyle: { color: color("ink"), fontSize: 12, width: 120, overflow: "break" },
      areaSelectStyle: { width: 18, color: color("link"), opacity: 0.25, borderColor: color("link") },
    }));
    option.visualMap = {
      type: "continuous", show: false, dimension: last, min: Math.min(...values), max: Math.max(...values),
      inRange: { color: [color("c7"), color("c5"), color("c0")], opacity: [0.25, 0.95] },
    };
    option.series = [{
      type: "parallel", data: chart.lines, smooth: false, inactiveOpacity: 0.04, activeOpacity: 1,
      lineStyle: { width: chart.lines.length > 300 ? 1 : 2 }, emphasis: { lineStyle: { width: 4 } },
    }];
    return option;
  }

  const options = { curves, heat, parallel };

  function draw() {
    for (const { chart, plot } of drawn) plot.setOption(options[chart.kind](chart), { notMerge: true });
  }

  /** Arrow keys walk through a chart's points; what stands there is shown and said. */
  function byKeyboard({ chart, plot, place, said }) {
    let index = -1;
    const points = () => {
      if (chart.kind === "heat") return chart.cells;
      if (chart.kind !== "curves") return [];
      const lines = chart.lines.filter((line) => !hidden.has(line.name));
      return [...new Set(lines.flatMap((line) => line.x))].sort((one, other) => one - other);
    };
    const show = (all) => {
      const point = all[index];
      if (chart.kind === "heat") {
        plot.dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: index });
        said.textContent = cellRows(chart, point).map(([name, value]) => `${name} ${value}`).join(", ");
        return;
      }
      const shown = plot.getOption().series.findIndex((series) => series.data.some((pair) => pair[0] === point));
      const dataIndex = plot.getOption().series[shown].data.findIndex((pair) => pair[0] === point);
      plot.dispatchAction({ type: "showTip", seriesIndex: shown, dataIndex });
      const found = curvesTip(chart, point);
      said.textContent = `${found.heading}: ${found.rows.map(([name, value]) => `${name} ${value}`).join(", ")}`;
    };
    place.addEventListener("keydown", (event) => {
      const all = points();
      const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
      if (!(event.key in steps) || !all.length) return;
      event.preventDefault();
      index = Math.min(all.length - 1, Math.max(0, index + steps[event.key]));
      show(all);
    });
    place.addEventListener("blur", () => plot.dispatchAction({ type: "hideTip" }));
  }

  for (const place of document.querySelectorAll("[data-chart]")) {
    const chart = charts[Number(place.dataset.chart)];
    const plot = echarts.init(place.querySelector(".canvas"), null, { renderer: "svg" });
    const one = { chart, plot, place, said: place.querySelector("[aria-live]") };
    drawn.push(one);
    byKeyboard(one);
    new ResizeObserver(() => plot.resize()).observe(place);
  }
  draw();

  for (const box of document.querySelectorAll("input[data-variant]")) {
    box.addEventListener("change", () => {
      hidden[box.checked ? "delete" : "add"](box.dataset.variant);
      draw();
    });
  }
  dark.addEventListener("change", draw);

  // Paper is white and narrow, and shows what is folded; films stay folded.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    document.documentElement.dataset.theme = "light";
    opened = [...document.querySelectorAll("details:not([open]):not(.screen)")];
    for (const each of opened) each.open = true;
    for (const { chart, plot, place } of drawn) {
      plot.resize({ width: place.classList.contains("wide") ? 660 : 320 });
      plot.setOption(options[chart.kind](chart), { notMerge: true });
    }
  });
  window.addEventListener("afterprint", () => {
    delete document.documentElement.dataset.theme;
    for (const each of opened) each.open = false;
    for (const { plot } of drawn) plot.resize({ width: "auto" });
    draw();
  });
})();
