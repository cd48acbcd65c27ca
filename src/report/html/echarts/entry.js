// What of ECharts the charts of reports are made of.
import { use } from "echarts/core";
import { HeatmapChart, LineChart, ParallelChart } from "echarts/charts";
import {
  GridComponent, ParallelComponent, TooltipComponent, VisualMapContinuousComponent,
} from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

use([
  HeatmapChart, LineChart, ParallelChart,
  GridComponent, ParallelComponent, TooltipComponent, VisualMapContinuousComponent, SVGRenderer,
]);

export { init } from "echarts/core";
