//! baresip
