// What a host gives a view's module: anywidget's front-end standard, with the traits of `traits.d.ts`.

type Callback = (...values: any[]) => void;

interface Model<Traits> {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  on(event: "msg:custom" | `change:${keyof Traits & string}`, callback: Callback): void;
  off(event: "msg:custom" | `change:${keyof Traits & string}`, callback: Callback): void;
  send(content: object, callbacks?: any, buffers?: ArrayBuffer[]): void;
  save_changes(): void;
}

export interface Host<Traits> {
  model: Model<Traits>;
  el: HTMLElement;
}
