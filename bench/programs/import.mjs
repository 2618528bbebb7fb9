import "@muthuishere/vsync-s3-client";
