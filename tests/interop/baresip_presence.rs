//! baresip and pidgin-sipe watching one another: the one speaks PIDF, the other categories.
