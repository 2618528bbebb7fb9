/** @type {import("next").NextConfig} */
export default {
  // From node_modules as it is, and not through the bundler.
  serverExternalPackages: ["@muthuishere/vsync-s3-client"],
};
