/** The compiled kernels as the runtime's bundler hands them over; on Node, compile the file. */
export { default } from "../../build/kernels.wasm";
