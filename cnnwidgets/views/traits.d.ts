// The traits of each view, by their types in Python: `python -m tests.views.traits` writes this file.

export interface AnswerView {
  answer: Record<string, any>;
  before: Record<string, any>;
  box: number[];
  chances: DataView;
  classes: DataView;
  known: DataView;
  names: Record<string, any>;
  quantity: string;
  share: boolean;
  span: number[];
  target: number;
  values: DataView;
  xs: number[];
  ys: number[];
}

export interface BoardView {
  rows: (Record<string, any>)[];
  title: string;
}

export interface CameraView {
  pixels: DataView;
  shape: number[];
  title: string;
  width: number;
}

export interface ChartView {
  added: number[];
  appended: Record<string, any>;
  box: number[];
  boxable: boolean;
  clicked: number[];
  columns: Record<string, any>;
  description: string;
  draggable: number[];
  dragged: number[];
  ended: number[];
  figure: string;
  fixed: boolean;
  height: number;
  hint: string;
  hovered: number[];
  library: DataView;
  line: number | null;
  line_label: string;
  marked: number;
  places: any[];
  readout: boolean;
  removed: number[];
}

export interface ConnectionsView {
  after: (Record<string, any>)[];
  before: (Record<string, any>)[];
  caption: string;
  chosen: number[];
  ends: string[];
  heads: string[];
  height: number;
  here: string;
  locked: boolean;
  pixels: DataView;
  shape: number[];
  title: string;
}

export interface DrawView {
  colors: string[];
  frame: number[];
  ink: string;
  paper: string;
  pixels: DataView;
  shape: number[];
  title: string;
  width: number;
}

export interface FindingsView {
  height: number;
  nothing: string;
  rows: (Record<string, any>)[];
  selected: number;
  title: string;
}

export interface HeatView {
  box: number[];
  colors: string[];
  hint: string;
  known: DataView;
  lock: string[];
  mark: number | null;
  marked: string;
  names: string[];
  note: string;
  opacity: number;
  patch: number[];
  pixels: DataView;
  range: "full" | "there";
  region: number[];
  shape: number[];
  share: boolean;
  span: number[];
  title: string;
  values: DataView;
  width: number;
  xs: number[];
  ys: number[];
}

export interface ImageGrid {
  colors: "auto" | "viridis" | "gray" | "diverging";
  contrast: number;
  cursor: number[];
  dim: DataView;
  height: number;
  hi: DataView;
  hide: string[];
  labels: string[];
  limits: number[];
  lines: number;
  lit: number;
  lo: DataView;
  lock: string[];
  mosaic: number[];
  noun: string;
  numbered: boolean;
  opacity: number;
  orders: Record<string, any>;
  overlay: Record<string, any>;
  pixels: DataView;
  quantity: string;
  scale: "map" | "layer" | "fixed";
  selected: number;
  shape: number[];
  sort: string;
  span: number[];
  steady: boolean;
  tile: number;
  title: string;
  toggles: boolean;
  told: string[];
  tools: boolean;
}

export interface ImageView {
  box: number[];
  caption: string;
  cover: DataView;
  cursor: number[];
  field: Record<string, any>;
  hint: string;
  lock: boolean;
  mask: DataView;
  pixels: DataView;
  positions: number[];
  shape: number[];
  step: number[];
  title: string;
  width: number;
}

export interface MapTable {
  cells: (Record<string, any>)[];
  columns: string[];
  cursor: number[];
  large: boolean;
  lock: boolean;
  mask: DataView;
  opacity: number;
  pixels: DataView;
  rows: string[];
  shape: number[];
  sided: boolean;
  sign: "both" | "for" | "against";
  values: DataView;
  width: number;
}

export interface MatrixView {
  caption: string;
  height: number;
  shape: number[];
  titles: string[];
  values: DataView;
}

export interface NumberTables {
  lock: boolean;
  step: number;
  stepping: "free" | "locked" | "hidden";
  steps: string[];
  tables: (Record<string, any>)[];
}

export interface ScatterView {
  added: DataView;
  atlas: DataView;
  chance: DataView;
  classes: string[];
  edges: DataView;
  group: DataView;
  height: number;
  hidden: number[];
  hovered: number;
  labeled: boolean;
  labels: DataView;
  lock: string[];
  names: string[];
  note: string;
  numbers: DataView;
  palette: string[];
  picked: number;
  positions: DataView;
  quantity: string;
  selected: DataView;
  span: number[];
  thumbnail: number;
  thumbnails: boolean;
  tile: number[];
  title: string;
  tool: "pan" | "lasso" | "box";
  tools: boolean;
  top: DataView;
  tween: number;
  value: DataView;
}

export interface TableView {
  description: string;
  heads: string[];
  height: number;
  left: number;
  locked: boolean;
  rows: (string[])[];
  selected: number;
  spare: number;
}
